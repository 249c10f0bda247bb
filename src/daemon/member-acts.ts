import type { DataIdentity } from '../core/local-data.ts';
import { STOP_GRACE_MS } from '../core/numbers.ts';
import { planDns } from '../core/plan-dns.ts';
import type { MemberAction } from '../core/plan-member.ts';
import { reason } from '../core/reason.ts';
import type { RecordChange } from '../core/records.ts';
import { clientUrl, hostOf } from '../core/urls.ts';
import { hasCode } from '../errors.ts';
import { changeClaimAndNames } from './change-names.ts';
import type { Context } from './context.ts';
import { keepIdentity } from './keep-identity.ts';
import { endpointOf, look } from './look.ts';
import type { RunningEtcd } from './ports.ts';

/** Carries out one step of a running member. */
export async function act(
  context: Context,
  action: MemberAction,
  etcd: RunningEtcd,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  switch (action.kind) {
    case 'none':
      return;
    case 'stop':
      context.chronicle.trouble('stop-etcd', action.reason);
      context.state.notReady = action.reason.sentence;
      await etcd.stop(STOP_GRACE_MS);
      return;
    case 'note-formed':
      await noteFormed(context, identity, signal);
      return;
    case 'register':
      await changeRegister(context, action, identity, signal);
      return;
    case 'promote': {
      if (!(await noteVoter(context, identity, signal))) return;
      const endpoint = leaderEndpoint(context);
      const outcome = await context.ports.admin.promote(endpoint, action.memberId, signal);
      context.ports.meter.acted('promote', outcome.ok ? 'done' : outcome.code);
      if (outcome.ok) {
        context.chronicle.done('promote');
        context.chronicle.event('promote', action.reason, { memberId: action.memberId });
      } else context.chronicle.plan('promote', [reason(outcome.code, outcome.message)]);
    }
  }
}

/** The leader's appliance keeps house: it names a member that became well now, and not at its next look. */
export function tellLeader(context: Context, signal: AbortSignal): void {
  const { peers, self } = context.ports;
  const address = hostOf(leaderEndpoint(context));
  // What it should run is asked once it serves.
  context.upgradeBell.ring();
  if (address === self.address) context.houseBell.ring();
  // Lost, it costs that look.
  else void peers.askBirth(address, { epoch: 0, from: self.id }, signal).catch(() => undefined);
}

/** Promotion goes to the leader itself: through a follower it failed with auth enabled before 3.5.28 and 3.6.6. */
function leaderEndpoint(context: Context): string {
  const { state } = context;
  const leaderId = state.ownStatus.known ? state.ownStatus.value.leader : null;
  const leader = state.list.known ? state.list.value.members.find((it) => it.id === leaderId) : undefined;
  return leader === undefined ? clientUrl(context.ports.self.address) : endpointOf(leader);
}

/** Writes down beside the data that their epoch was formed. */
export async function noteFormed(
  context: Context,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  if (!(await noteIdentity(context, { ...identity, formed: true }, 'note-formed', signal))) return;
  context.chronicle.done('forming');
  context.chronicle.event('formed', reason('note-formed', `epoch ${identity.epoch} is formed`));
  context.houseBell.ring();
}

/**
 * Writes down beside the data that they are, or are about to be, a voter's: those are kept (law 2). False: it could not be
 * written, and what follows from the vote must wait.
 */
export async function noteVoter(
  context: Context,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  return identity.voter || (await noteIdentity(context, { ...identity, voter: true }, 'note-voter', signal));
}

/** Writes what was found out of the own data; false where the disk takes nothing, and it is to be tried again. */
export async function noteIdentity(
  context: Context,
  identity: DataIdentity,
  what: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await keepIdentity(context, identity, signal);
  } catch (error) {
    // A full disk must not end the watch over an etcd that serves: the next tick tries again.
    if (!hasCode(error, 'cannot-write')) throw error;
    context.chronicle.trouble(what, reason('cannot-write', error.message));
    return false;
  }
  return true;
}

async function changeRegister(
  context: Context,
  action: MemberAction & { readonly kind: 'register' },
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  // Who enters the claim as a voter may be one from then on.
  if (!action.formed && !(await noteVoter(context, identity, signal))) return;
  const names = action.formed ? await firstRecords(context, signal) : [];
  const { claim: outcome } = await changeClaimAndNames(context, action.changes, names, signal);
  context.ports.meter.acted('register', outcome.kind);
  if (outcome.kind !== 'done') {
    context.chronicle.trouble('register', reason(outcome.kind, outcome.message));
    return;
  }
  context.chronicle.event('register', action.reason);
  if (action.formed) await noteFormed(context, identity, signal);
}

/** The records of a birth go into the batch that commits it: the cluster is found as soon as it is promised. */
async function firstRecords(context: Context, signal: AbortSignal): Promise<readonly RecordChange[]> {
  const { register, options, ports, fleetView } = context;
  const seen = await look(context, clientUrl(ports.self.address), signal);
  const records = register.last();
  if (!seen.known || !records.known) return [];
  return planDns({
    cluster: options.cluster,
    records: records.value,
    members: seen.value.list.members,
    healthy: seen.value.healthy,
    doubtful: new Set(),
    leaving: new Set(),
    fleetKnown: fleetView.last().known,
  }).changes;
}
