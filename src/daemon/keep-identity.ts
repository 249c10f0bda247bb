import type { DataIdentity } from '../core/local-data.ts';
import type { Context } from './context.ts';

/** Writes the identity beside the data, flushed, and shows it. Throws `cannot-write` where the disk takes nothing. */
export async function keepIdentity(
  context: Context,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  await context.ports.data.writeIdentity(identity, signal);
  context.state.identity = identity;
}
