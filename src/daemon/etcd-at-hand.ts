import type { EtcdAtHand } from '../core/birth.ts';
import type { Context } from './context.ts';

/** What of etcd this instance has, and what it is to run. */
export async function etcdAtHand(
  { ports, options }: Pick<Context, 'ports' | 'options'>,
  signal: AbortSignal,
): Promise<EtcdAtHand> {
  const installed = await ports.process.binaries(signal);
  return { installed: installed.map((it) => it.version), wanted: options.etcdVersion };
}
