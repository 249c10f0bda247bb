import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import type { Departure } from '../core/plan-leave.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { Ports } from './ports.ts';

/** Keys of instances that leave in order, each under a lease; an empty value takes the word back. */
export const LEAVING_PREFIX = '_leaving/';

/** The same of instances whose etcd only restarts: nobody but who would step to another etcd is to know. */
export const RESTARTING_PREFIX = '_appliance/restarting/';

/** An empty word that takes one back is gone with its lease: the shortest that etcd grants with an election timeout of 3 s. */
const TAKEN_BACK_LEASE_SECONDS = 5;

const PREFIXES = { going: LEAVING_PREFIX, restart: RESTARTING_PREFIX } as const;

/** Instances that have said that they leave (`going`), or that their etcd restarts. */
export async function readLeaving(
  { ports }: { readonly ports: Pick<Ports, 'admin'> },
  kind: Departure['kind'],
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<ReadonlySet<string>>> {
  const prefix = PREFIXES[kind];
  const keys = await ports.admin.readPrefix(endpoint, prefix, signal);
  if (!keys.known) return keys;
  const said = keys.value.filter((it) => it.value !== '');
  return known(new Set(said.map((it) => it.key.slice(prefix.length))));
}

/** Says under a lease that this instance leaves, or that its etcd restarts. False: the lease is gone, or etcd does not answer. */
export async function sayLeaving(
  { ports: { admin, self, clock } }: Pick<Context, 'ports'>,
  kind: Departure['kind'],
  leaseId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const own = clientUrl(self.address);
  const put = await admin.put(own, PREFIXES[kind] + self.id, clock.wallTime(), { leaseId }, signal);
  return put.known && put.value;
}

/**
 * Takes the word back where this instance gave it in an earlier life, and is here to stay: clients would not find it, and
 * nobody would step to another etcd, until the lease is over.
 */
export async function takeLeavingBack(
  context: Pick<Context, 'ports' | 'state'>,
  signal: AbortSignal,
): Promise<void> {
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  for (const kind of ['going', 'restart'] as const) {
    const said = await readLeaving(context, kind, own, signal);
    if (!said.known || !said.value.has(self.id)) continue;
    const lease = await admin.grantLease(own, TAKEN_BACK_LEASE_SECONDS, signal);
    if (!lease.known || context.state.phase === 'leaving') continue;
    await admin.put(own, PREFIXES[kind] + self.id, '', { leaseId: lease.value }, signal);
  }
}
