import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';

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
  const status = await context.ports.admin.status(endpoint, signal);
  const own = await ownCluster(context, signal);
  return status.known && own !== null && status.value.clusterId !== own;
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
  for (const endpoint of endpoints) {
    const own = await ownCluster(context, signal);
    if (own === null && endpoint !== clientUrl(self.address)) continue;
    const status = await admin.status(endpoint, signal);
    if (status.known && (own === null || status.value.clusterId === own)) yield endpoint;
  }
}
