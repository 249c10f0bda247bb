import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { AdminPort } from './ports.ts';

/*
 * EC2 gives the address of an instance that is gone to the next one that is launched, and that may be of another stack: where a
 * voter was, another cluster's member may answer.
 */

type Own = Pick<Context, 'ports' | 'state'>;

/** Id of the cluster that the own data are of; null: of none that is known. Before etcd is started, nothing but the disk has it. */
export async function ownCluster({ ports, state }: Own, signal: AbortSignal): Promise<string | null> {
  const identity = state.identity ?? (await ports.data.read(signal)).identity;
  return identity?.clusterId ?? null;
}

/** Whether a member of another cluster answers there. Who does not answer is no stranger. */
export async function isStranger(context: Own, endpoint: string, signal: AbortSignal): Promise<boolean> {
  const own = await ownCluster(context, signal);
  return (await strangersCluster(context.ports.admin, endpoint, own, signal)) !== null;
}

/** Id of the cluster whose member answers there, where it is another than `own`; null: it is not, or nobody answers, or knows. */
export async function strangersCluster(
  admin: Pick<AdminPort, 'status'>,
  endpoint: string,
  own: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (own === null) return null;
  const status = await admin.status(endpoint, signal);
  return status.known && status.value.clusterId !== own ? status.value.clusterId : null;
}

/**
 * Those of these client URLs under which a member of the own cluster answers, each asked right before it is given: what is
 * written there is written in no other. Where it is not known which the own one is, only the own etcd counts.
 */
export async function* inOwnCluster(
  context: Own,
  endpoints: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const { admin, self } = context.ports;
  const own = await ownCluster(context, signal);
  for (const endpoint of endpoints) {
    if (own === null && endpoint !== clientUrl(self.address)) continue;
    const status = await admin.status(endpoint, signal);
    if (status.known && (own === null || status.value.clusterId === own)) yield endpoint;
  }
}
