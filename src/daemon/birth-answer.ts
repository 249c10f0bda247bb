import type { BirthAnswer, EtcdAtHand } from '../core/birth.ts';
import type { LocalData } from '../core/local-data.ts';
import { unusedNonce } from '../core/local-data.ts';
import type { Context } from './context.ts';
import { etcdAtHand } from './etcd-at-hand.ts';
import type { Ports } from './ports.ts';

/** What an asker of `/birth` says of itself: an epoch to look for (0: none), and its instance id. */
export interface BirthHint {
  readonly epoch: number;
  readonly from: string | null;
}

/** What `/birth` answers. A hint at a later epoch than the one known here makes the starter read the register now. */
export async function answerBirth(
  context: Context,
  hint: BirthHint,
  signal: AbortSignal,
): Promise<BirthAnswer> {
  const { ports, register } = context;
  const epoch = register.standing()?.epoch ?? 0;
  if (hint.epoch > epoch) {
    register.forget();
    context.lifeBell.ring();
  }
  // Who asks may have become a voter just now.
  const asks = context.state.members.find((it) => it.name === hint.from);
  if (hint.from !== null && asks?.unhealthy !== null) context.houseBell.ring();
  // Asked as it starts, it would else answer without the nonce, and have to make its mark itself.
  await context.nonceOffer.make(signal);
  const etcd = await etcdAtHand(context, signal);
  return describeBirth(ports, await ports.data.read(signal), etcd, epoch);
}

/** What an appliance says of its disk. A mark that was not started holds nothing. */
function describeBirth(
  ports: Pick<Ports, 'self'>,
  local: LocalData,
  etcd: EtcdAtHand,
  epoch: number,
): BirthAnswer {
  const { mark } = local;
  const describe = (identity: LocalData['identity']): NonNullable<BirthAnswer['data']> => ({
    token: identity?.token ?? null,
    clusterId: identity?.clusterId ?? null,
    // Data that nobody can name may be of a cluster that lived.
    formed: identity?.formed ?? true,
  });
  return {
    instanceId: ports.self.id,
    stack: ports.self.stack,
    data: local.present ? describe(local.identity) : null,
    aside: local.aside.map((it) => describe(it.identity)),
    mark: mark === null || mark.token === null ? null : { token: mark.token, started: mark.started },
    // What is on disk is flushed: no nonce is told that a restart would not find again.
    nonce: local.present ? null : unusedNonce(mark),
    etcd,
    epoch,
  };
}
