import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { Ports } from './ports.ts';

/** Keys of instances that leave in order, each under a lease; an empty value takes the word back. */
export const LEAVING_PREFIX = '_leaving/';

/** Instances that have said that they leave. */
export async function readLeaving(
  { ports }: { readonly ports: Pick<Ports, 'admin'> },
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<ReadonlySet<string>>> {
  const keys = await ports.admin.readPrefix(endpoint, LEAVING_PREFIX, signal);
  if (!keys.known) return keys;
  const said = keys.value.filter((it) => it.value !== '');
  return known(new Set(said.map((it) => it.key.slice(LEAVING_PREFIX.length))));
}

/** Says under a lease that this instance leaves. False: the lease is gone, or etcd does not answer. */
export async function sayLeaving(
  { ports: { admin, self, clock } }: Pick<Context, 'ports'>,
  leaseId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const own = clientUrl(self.address);
  const put = await admin.put(own, LEAVING_PREFIX + self.id, clock.wallTime(), { leaseId }, signal);
  return put.known && put.value;
}

/**
 * Takes the word back where this instance said that it leaves, in an earlier life, and is here to stay: clients would not
 * find it until the lease is over.
 */
export async function takeLeavingBack(
  context: Pick<Context, 'ports' | 'state'>,
  signal: AbortSignal,
): Promise<void> {
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  const leaving = await readLeaving(context, own, signal);
  if (leaving.known && leaving.value.has(self.id) && context.state.phase !== 'leaving')
    await admin.put(own, LEAVING_PREFIX + self.id, '', {}, signal);
}
