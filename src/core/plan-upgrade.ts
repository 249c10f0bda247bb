import { UPGRADE_STEP_LIMIT_MS } from './numbers.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { Check, CheckCode, UpgradeMember, UpgradeObservation, UpgradeRecord } from './upgrade.ts';
import { checksOf } from './upgrade-checks.ts';
import type { Candidate, Work } from './upgrade-work.ts';
import { workOf } from './upgrade-work.ts';

/** Why somebody steps, or nobody does. */
export type UpgradeCode =
  | CheckCode
  | 'upgrade-done'
  | 'upgrade-unknown'
  | 'upgrade-apart'
  | 'upgrade-settling'
  | 'upgrade-paused'
  | 'upgrade-failed'
  | 'upgrade-locked'
  | 'upgrade-orphaned'
  | 'upgrade-step'
  | 'upgrade-clear'
  | 'upgrade-bring-snapshot'
  | 'upgrade-enable-downgrade'
  | 'upgrade-cancel-downgrade';

/** What is done next, and by which instance; `who` acts under the upgrade lock, nobody else. */
export type UpgradeAction = { readonly reason: Reason<UpgradeCode> } & (
  | { readonly kind: 'none' }
  /** Run another binary on the same data. `handOverTo`: the member that leads from now on; null: it does not lead. */
  | (Step & { readonly kind: 'step' })
  /** Restart the own etcd so that requests of the old API leave its log. */
  | (Step & { readonly kind: 'clear' })
  /** Make every member take a snapshot of its log. */
  | { readonly kind: 'bring-snapshot'; readonly who: string }
  | { readonly kind: 'enable-downgrade'; readonly who: string; readonly to: string }
  | { readonly kind: 'cancel-downgrade'; readonly who: string }
);

interface Step {
  /** Instance id. */
  readonly who: string;
  readonly memberId: string;
  readonly from: string;
  readonly to: string;
  readonly handOverTo: string | null;
}

/** What comes next, and the preflight that it rests on: empty where there is nothing to do. */
export interface UpgradePlan {
  readonly action: UpgradeAction;
  readonly checks: readonly Check[];
  /** Instances that are still to step in this round, in their order. */
  readonly waiting: readonly string[];
}

/**
 * Who steps next, to what, or why nobody does (design.md, "Upgrade"). Every appliance plans the same from the same look;
 * whose turn it is takes the lock, and plans again under it.
 */
export function planUpgrade(seen: UpgradeObservation): UpgradePlan {
  const view = workOf(seen);
  if (view.kind === 'unknown') return idle('upgrade-unknown', view.why);
  const goesDown = view.kind === 'work' && view.work.kind === 'down';
  if (downgradeOf(seen) !== null && !goesDown)
    return { action: leftDowngrade(seen), checks: [], waiting: [] };
  switch (view.kind) {
    case 'apart':
      return idle(
        'upgrade-apart',
        `members run etcd ${view.lowest} and ${view.highest}, which must not stand beside each other: replace the fewer`,
      );
    case 'settling':
      return idle(
        'upgrade-settling',
        `all run etcd ${view.minor}: waits until etcd takes it for the cluster's version`,
      );
    case 'nothing':
      return idle('upgrade-done', 'every member runs what its instance aims at');
    case 'work': {
      const checks = checksOf(seen, view.work);
      const waiting = view.work.candidates.map((it) => it.member.name);
      return { action: mayNot(seen, view.work) ?? next(seen, view.work, checks), checks, waiting };
    }
  }
}

/** The version that a downgrade under way leads to; null: none is. */
function downgradeOf({ versions }: UpgradeObservation): string | null {
  return versions.known ? versions.value.downgradeTarget : null;
}

function idle(code: UpgradeCode, sentence: string): UpgradePlan {
  return { action: nobody(code, sentence), checks: [], waiting: [] };
}

function nobody(code: UpgradeCode, sentence: string): UpgradeAction {
  return { kind: 'none', reason: reason(code, sentence) };
}

/** What keeps everybody from a step, whatever the preflight says; null: nothing. */
function mayNot(seen: UpgradeObservation, work: Work): UpgradeAction | null {
  const record: UpgradeRecord | null = seen.record.known ? seen.record.value : null;
  if (record?.paused != null) return nobody('upgrade-paused', `paused by an operator at ${record.paused.at}`);
  const failed = record?.failed ?? null;
  // A new image, and one that was replaced, may do better.
  const stands = work.candidates.some((it) => it.member.name === failed?.by && it.to === failed.to);
  if (failed !== null && stands)
    return nobody(
      'upgrade-failed',
      `the step of ${failed.by} from ${failed.from} to ${failed.to} was taken back: ${failed.why}; resume it, or replace the image`,
    );
  return underWay(seen, record);
}

/** A step of somebody else goes on, or ended with its lock and not by its own word: it may not know that yet. */
function underWay(seen: UpgradeObservation, record: UpgradeRecord | null): UpgradeAction | null {
  const { self, lockedBy } = seen;
  const step = record?.step ?? null;
  const what = step === null ? 'prepares a step' : `steps from ${step.from} to ${step.to} since ${step.at}`;
  if (lockedBy !== null && lockedBy !== self)
    return nobody('upgrade-locked', `${lockedBy} ${step?.by === lockedBy ? what : 'prepares a step'}`);
  if (step === null || step.by === self || seen.orphanedForMs >= UPGRADE_STEP_LIMIT_MS) return null;
  return nobody(
    'upgrade-orphaned',
    `${step.by} began to step from ${step.from} to ${step.to}, and lost its lock: waits until that must be over`,
  );
}

/** A downgrade that nobody wants keeps joiners out: one left by a dead appliance, or by an operator's new word. */
function leftDowngrade(seen: UpgradeObservation): UpgradeAction {
  const record = seen.record.known ? seen.record.value : null;
  const who = followersFirst(seen)[0]?.name;
  const waits = underWay(seen, record);
  if (waits !== null || who === undefined) return waits ?? nobody('upgrade-unknown', 'no member is known');
  return {
    kind: 'cancel-downgrade',
    who,
    reason: reason('upgrade-cancel-downgrade', 'a downgrade is under way that nobody wants: it is cancelled'),
  };
}

function followersFirst({ members, leaderId }: UpgradeObservation): readonly UpgradeMember[] {
  return members.toSorted(
    (a, b) => Number(a.id === leaderId) - Number(b.id === leaderId) || (a.id < b.id ? -1 : 1),
  );
}

/** The first thing that is amiss decides; two of them an appliance mends itself. */
function next(seen: UpgradeObservation, work: Work, checks: readonly Check[]): UpgradeAction {
  const first = work.candidates[0];
  if (first === undefined) return nobody('upgrade-done', 'every member runs what its instance aims at');
  const amiss = checks.filter((it) => !it.ok);
  const barring = amiss.find((it) => it.code !== 'upgrade-v2' && it.code !== 'upgrade-snapshot') ?? amiss[0];
  if (barring === undefined) return begin(seen, work, first);
  const remedy = remedyOf(seen, work, barring);
  return remedy ?? nobody(barring.code, `no step to etcd ${work.to}: ${barring.sentence}`);
}

function begin(seen: UpgradeObservation, work: Work, first: Candidate): UpgradeAction {
  const whole = work.candidates.length === seen.members.length;
  if (work.kind === 'down' && whole && downgradeOf(seen) === null)
    return {
      kind: 'enable-downgrade',
      who: first.member.name,
      to: work.to,
      reason: reason('upgrade-enable-downgrade', `etcd is told to go back to ${work.to}`),
    };
  return stepOf(
    seen,
    first,
    'step',
    reason('upgrade-step', `${first.member.name} steps from ${first.from} to ${first.to}`),
  );
}

/** What mends a check that failed; null: only an operator can. */
function remedyOf(seen: UpgradeObservation, work: Work, barring: Check): UpgradeAction | null {
  if (barring.code === 'upgrade-snapshot') {
    const unreadable = seen.members.some((it) => it.answer.known && !it.answer.value.replay.known);
    const who = work.candidates[0]?.member.name;
    if (unreadable || who === undefined) return null;
    return {
      kind: 'bring-snapshot',
      who,
      reason: reason(
        'upgrade-bring-snapshot',
        `${barring.sentence}: ${who} has every member take a snapshot`,
      ),
    };
  }
  if (barring.code !== 'upgrade-v2') return null;
  const found = work.candidates.filter(
    ({ member: { answer } }) =>
      answer.known && answer.value.v2.known && answer.value.v2.value === 'wal-requests',
  );
  const sound = seen.members.every(
    ({ answer }) => answer.known && answer.value.v2.known && answer.value.v2.value !== 'store',
  );
  const [first] = found;
  if (first === undefined || !sound) return null;
  return stepOf(
    seen,
    { ...first, to: first.from },
    'clear',
    reason('upgrade-clear', `${barring.sentence}: ${first.member.name} restarts, so that they leave its log`),
  );
}

function stepOf(
  seen: UpgradeObservation,
  { member, from, to }: Candidate,
  kind: 'step' | 'clear',
  why: Reason<UpgradeCode>,
): UpgradeAction {
  return {
    kind,
    who: member.name,
    memberId: member.id,
    from,
    to,
    handOverTo: successor(seen, member),
    reason: why,
  };
}

/** Who leads while the leader steps: the one that is furthest. */
function successor({ members, leaderId }: UpgradeObservation, stepping: UpgradeMember): string | null {
  if (stepping.id !== leaderId) return null;
  const others = members
    .filter((it) => it.id !== stepping.id && !it.learner && it.unhealthy === null)
    .toSorted((a, b) => b.appliedIndex - a.appliedIndex);
  return others[0]?.id ?? null;
}
