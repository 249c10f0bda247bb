import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import type { MemberStatus } from '../core/members.ts';
import { planOwnNames } from '../core/plan-own-names.ts';
import type { UpgradeAction } from '../core/plan-upgrade.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import { reason } from '../core/reason.ts';
import type { ChangeOutcome } from '../core/records.ts';
import type { FailedStep, UpgradeRecord } from '../core/upgrade.ts';
import { encodePart, UPGRADE_KEYS } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { LeasedLock } from './leased-lock.ts';
import { look } from './look.ts';
import { inOwnCluster } from './own-cluster.ts';
import type { MemberLook } from './state.ts';

/** One kind of action. */
export type UpgradeActionOf<Kind extends UpgradeAction['kind']> = Extract<UpgradeAction, { kind: Kind }>;

/** What an act of an upgrade has: the lock under which it is done, and the members to do it through. */
export interface Held {
  readonly context: Context;
  readonly lock: LeasedLock;
  /** As they were before the step; empty: nobody has answered who lists them. */
  readonly members: readonly MemberLook[];
  readonly signal: AbortSignal;
}

/** Why a turn is given up, as clauses. */
export const LOCK_LOST = 'the upgrade lock is lost';
export const NOT_RECORDED = `${LOCK_LOST}, or nobody takes the record of the step`;

/** Writes one part of the record, fenced by the lock. False: the lock is lost, or nobody answers; then nothing was written. */
export async function writePart<Part extends 'step' | 'failed'>(
  { context, lock, members, signal }: Held,
  part: Part,
  value: UpgradeRecord[Part],
): Promise<boolean> {
  const { admin } = context.ports;
  for await (const endpoint of inOwnCluster(context, endpointsOf(context, members), signal)) {
    const fence = lock.fence();
    if (fence === null) return false;
    const put = await admin.put(endpoint, UPGRADE_KEYS[part], encodePart(value), { fence }, signal);
    if (put.known) return put.value;
  }
  return false;
}

/** The step that is begun, as it is recorded. */
export function stepNow(context: Context, from: string, to: string): NonNullable<UpgradeRecord['step']> {
  const { self, clock } = context.ports;
  return { by: self.id, from, to, at: clock.wallTime() };
}

/** Records that a step was taken back, and says so. False: the lock is lost, or nobody answers. */
export async function recordFailure(held: Held, from: string, to: string, why: string): Promise<boolean> {
  const failed: FailedStep = { ...stepNow(held.context, from, to), why };
  held.context.chronicle.trouble(
    'upgrade',
    reason('upgrade-taken-back', `the step from ${from} to ${to} is taken back: ${why}`),
  );
  return await writePart(held, 'failed', failed);
}

/**
 * Takes this member out of the client names, or puts it back. Where Route 53 does not answer, the step goes on: clients that
 * meet a member that restarts ask the next one.
 */
export async function nameSelf(held: Held, serves: boolean): Promise<void> {
  const { register, options, ports, chronicle } = held.context;
  const outcome = await changeOwnNames();
  if (outcome === null) return;
  ports.meter.dnsWritten(outcome.kind);
  if (outcome.kind === 'done') return;
  chronicle.trouble(
    'upgrade-names',
    reason(`upgrade-names-${outcome.kind}`, `the client names stay as they are: ${outcome.message}`),
  );

  /** Null: they are right, or the lock is lost. */
  async function changeOwnNames(): Promise<ChangeOutcome | null> {
    const records = await register.read(0, held.signal);
    if (!records.known) return { kind: 'unknown', message: records.reason };
    const changes = planOwnNames({
      cluster: options.cluster,
      records: records.value,
      self: ports.self,
      serves,
    });
    if (changes.length === 0 || !(await held.lock.guard(held.signal))) return null;
    return await register.change(changes, held.signal);
  }
}

/** Puts this member back into the client names when its step is over, if it serves: a step may end without that. */
export async function nameAgain(held: Held): Promise<void> {
  const { admin, self } = held.context.ports;
  const status = await admin.status(clientUrl(self.address), held.signal);
  if (status.known && (await whyNotServing(held, status.value)) === null) await nameSelf(held, true);
}

/**
 * Why the own member does not serve; null: it does. It is to be as far as the leader is by now: a long start under many writes
 * ends far behind where the others were before the step. Of a leader that does not say, what it said before the step counts.
 * Where nobody has said how far they were, they are looked at through the own etcd.
 */
export async function whyNotServing(held: Held, status: MemberStatus): Promise<string | null> {
  const { context, members, signal } = held;
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  const beside = (now: Known<MemberStatus>, others: number): string | null => {
    const highestIndex = Math.max(others, now.known ? now.value.raftIndex : 0);
    return whyUnhealthy({ status: now, memberId: status.memberId, highestIndex });
  };
  const alone = beside(known(status), 0);
  if (alone !== null) return alone;
  if (members.length === 0) {
    const seen = await look(context, own, signal);
    return seen.known
      ? beside(known(status), seen.value.highestIndex)
      : `it has no linearizable answer: ${seen.reason}`;
  }
  const before = Math.max(...members.map((it) => (it.status.known ? it.status.value.raftIndex : 0)));
  const leader = members.find((it) => it.id === status.leader && it.id !== status.memberId);
  if (leader === undefined) return beside(known(status), before);
  const ahead = await admin.status(clientUrl(leader.address), signal);
  // Asked after the leader: what is written while that is asked is no lag.
  const now = await admin.status(own, signal);
  return beside(now, Math.max(before, ahead.known ? ahead.value.raftIndex : 0));
}

/**
 * The client URLs of voters, the others' first: the own etcd is stopped in the middle of a step. Alone, it has only itself.
 * Where nobody has looked at members yet, they are those of the claim, as last read. Some may be gone, and others be there.
 */
export function endpointsOf(context: Context, members: readonly MemberLook[]): readonly string[] {
  const { address: own } = context.ports.self;
  const voters =
    members.length === 0 ? (context.register.standing()?.voters ?? []) : members.filter((it) => !it.learner);
  const others = voters.map((it) => it.address).filter((it) => it !== own);
  return [...others, own].map(clientUrl);
}
