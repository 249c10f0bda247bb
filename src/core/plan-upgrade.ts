import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { Check, CheckCode, UpgradeMember, UpgradeObservation, UpgradeRecord } from './upgrade.ts';
import { checksOf, lacking } from './upgrade-checks.ts';
import {
  canCancel,
  downgradeOf,
  downgradeTarget,
  isDowngradeLeft,
  isDowngradeWanted,
} from './upgrade-downgrade.ts';
import { stepLimitMs } from './upgrade-step.ts';
import type { Candidate, Work } from './upgrade-work.ts';
import { workOf } from './upgrade-work.ts';
import { minorOf } from './versions.ts';

/** Why somebody steps, or nobody does. */
export type UpgradeCode =
  | CheckCode
  | 'upgrade-done'
  | 'upgrade-held'
  | 'upgrade-unknown'
  | 'upgrade-apart'
  | 'upgrade-settling'
  | 'upgrade-paused'
  | 'upgrade-failed'
  /** No plan says it: a member whose etcd does not run has none. */
  | 'upgrade-no-way-back'
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
  /** Restart the own etcd, as the version that it runs, so that a snapshot makes its log forget what the next one dies of. */
  | (Step & { readonly kind: 'clear' })
  /** Restart the own etcd, as the version that it runs, as usual: one that was to clear its log goes on taking snapshots. */
  | (Step & { readonly kind: 'end-clear' })
  /** Make every member take a snapshot of its log. */
  | (Way & { readonly kind: 'bring-snapshot' })
  | (Way & { readonly kind: 'enable-downgrade' })
  | { readonly kind: 'cancel-downgrade'; readonly who: string }
);

interface Way {
  /** Instance id. */
  readonly who: string;
  /** Versions: of the etcd that it runs, and of the one that the step is for. */
  readonly from: string;
  readonly to: string;
}

interface Step extends Way {
  readonly memberId: string;
  readonly handOverTo: string | null;
}

/** What comes next, and the preflight that it rests on: empty where there is nothing to do. */
export interface UpgradePlan {
  readonly action: UpgradeAction;
  readonly checks: readonly Check[];
  /** Instances that are still to step in this round, in their order. */
  readonly waiting: readonly string[];
  /** Instances that bar this round, since their images have no etcd for it. */
  readonly lacking: readonly string[];
}

/**
 * Who steps next, to what, or why nobody does (design.md, "Upgrade"). Every appliance plans the same from the same look;
 * whose turn it is takes the lock, and plans again under it. Who gave its turn up pauses before the next one.
 */
export function planUpgrade(seen: UpgradeObservation): UpgradePlan {
  const plan = planTurn(seen);
  const { gaveUp = null, self } = seen;
  const { action } = plan;
  // A downgrade keeps joiners out: the end of it waits for nothing.
  if (gaveUp === null || action.kind === 'none' || action.kind === 'cancel-downgrade' || action.who !== self)
    return plan;
  const why = `${action.reason.sentence}, after a pause: its last turn was given up, as ${gaveUp}`;
  return { ...plan, action: nobody('upgrade-unhealthy', why) };
}

function planTurn(seen: UpgradeObservation): UpgradePlan {
  const left = seen.clears === true ? planLeftClear(seen) : null;
  if (left !== null) return planWithout(left);
  const view = workOf(seen);
  const target = downgradeTarget(seen);
  if (view.kind === 'unknown') return planWithout(planUnknown(seen, view.why, target));
  const work = view.kind === 'work' ? view.work : null;
  const checks = work === null ? [] : checksOf(seen, work);
  const waiting = work === null ? [] : work.candidates.map((it) => it.member.name);
  const about = { checks, waiting, lacking: work === null ? [] : lacking(seen, work).map((it) => it.name) };
  const stopped = work === null ? null : stoppedBy(seen, work);
  if (target !== null && (stopped !== null || !isDowngradeWanted(seen, target, work, checks)))
    return { ...about, action: underWay(seen) ?? cancelDowngrade(seen, stopped) };
  switch (view.kind) {
    case 'apart':
      return idle('upgrade-apart', apart(seen, view.lowest, view.highest));
    case 'settling':
      return idle(
        'upgrade-settling',
        `nobody runs less than etcd ${view.minor}: waits until etcd takes it for the cluster's version`,
      );
    case 'held':
      return idle('upgrade-held', view.why);
    case 'nothing':
      return idle('upgrade-done', 'every member runs what its instance aims at');
    case 'work':
      return { ...about, action: stopped ?? underWay(seen) ?? next(seen, view.work, checks) };
  }
}

/**
 * The own log was being cleared, and that was cut short: etcd is started as usual, whatever an operator or a preflight says of
 * steps, as soon as that costs nobody anything. Null: it cannot be told who it is.
 */
function planLeftClear(seen: UpgradeObservation): UpgradeAction | null {
  const member = seen.members.find((it) => it.name === seen.self);
  if (member === undefined || member.version === null || !seen.record.known) return null;
  const unwell = seen.members.filter((it) => it !== member && it.unhealthy !== null);
  const joiner = seen.members.find((it) => it !== member && it.learner);
  const what = 'takes snapshots as while its log was cleared';
  if (joiner !== undefined)
    return nobody(
      'upgrade-learner',
      `${member.name} ${what}, and restarts once ${joiner.name || `member ${joiner.id}`} is no learner any more`,
    );
  if (unwell.length > 0)
    return nobody(
      'upgrade-unhealthy',
      `${member.name} ${what}, and restarts once ${unwell.map((it) => `${it.name} serves (${it.unhealthy ?? ''})`).join(' and ')}`,
    );
  const why = reason('upgrade-clear', `${member.name} ${what}: it restarts as usual`);
  const { version } = member;
  return underWay(seen) ?? stepOf(seen, { member, from: version, to: version }, 'end-clear', why);
}

/**
 * Who steps is silent meanwhile, and an answer may be late. Who stays silent may have to come back with nothing, or be
 * replaced, and no downgrade lets it join.
 */
function planUnknown(seen: UpgradeObservation, why: string, target: string | null): UpgradeAction {
  if (!seen.record.known) return nobody('upgrade-unknown', why);
  const isLeft = target !== null && isDowngradeLeft(seen);
  return underWay(seen) ?? (isLeft ? cancelDowngrade(seen, null) : nobody('upgrade-unknown', why));
}

function apart({ members }: UpgradeObservation, lowest: string, highest: string): string {
  const above = members.filter((it) => it.version !== null && minorOf(it.version) !== lowest);
  return `members run etcd ${lowest} and ${highest}, which must not stand beside each other: terminate ${above.map((it) => it.name).join(' and ')}, one after the other; their successors join with what the cluster runs`;
}

function idle(code: UpgradeCode, sentence: string): UpgradePlan {
  return planWithout(nobody(code, sentence));
}

/** A plan that rests on no preflight. */
export function planWithout(action: UpgradeAction): UpgradePlan {
  return { action, checks: [], waiting: [], lacking: [] };
}

function nobody(code: UpgradeCode, sentence: string): UpgradeAction {
  return { kind: 'none', reason: reason(code, sentence) };
}

/** What keeps everybody from a step until somebody says otherwise, whatever the preflight says; null: nothing. */
function stoppedBy(seen: UpgradeObservation, work: Work): UpgradeAction | null {
  const record = recordOf(seen);
  if (record?.paused != null)
    return nobody('upgrade-paused', `paused by an operator at ${record.paused.at}, who can resume it`);
  const failed = record?.failed ?? null;
  // A new image, and one that was replaced, may do better.
  const stands = work.candidates.some((it) => it.member.name === failed?.by && it.to === failed.to);
  return failed !== null && stands
    ? nobody(
        'upgrade-failed',
        `the step of ${failed.by} from ${failed.from} to ${failed.to} was taken back: ${failed.why}; resume it, or replace the image`,
      )
    : null;
}

function recordOf({ record }: UpgradeObservation): UpgradeRecord | null {
  return record.known ? record.value : null;
}

/** A step of somebody else goes on, or ended with its lock and not by its own word: it may not know that yet. */
function underWay(seen: UpgradeObservation): UpgradeAction | null {
  const { self, lockedBy } = seen;
  const step = recordOf(seen)?.step ?? null;
  const what = step === null ? 'prepares a step' : `steps from ${step.from} to ${step.to} since ${step.at}`;
  if (lockedBy !== null && lockedBy !== self)
    return nobody('upgrade-locked', `${lockedBy} ${step?.by === lockedBy ? what : 'prepares a step'}`);
  const limitMs = stepLimitMs(seen.members.map((it) => it.dbSizeBytes));
  if (step === null || step.by === self || seen.orphanedForMs >= limitMs) return null;
  // Its instance is gone, or it would be a member: nothing of that step can still be done.
  if (seen.members.every((it) => it.name !== step.by)) return null;
  return nobody(
    'upgrade-orphaned',
    `${step.by} began to step from ${step.from} to ${step.to}, and lost its lock: waits until that must be over`,
  );
}

/**
 * A downgrade that nobody goes on with keeps joiners out: one that a dead appliance left, or that was withdrawn, or stopped by
 * what `stopped` says. A pause may last for days, and until its end nobody could be replaced.
 */
function cancelDowngrade(seen: UpgradeObservation, stopped: UpgradeAction | null): UpgradeAction {
  const who = followersFirst(seen).find(canCancel)?.name;
  if (who === undefined)
    return nobody('upgrade-unhealthy', 'a downgrade is to be cancelled, and no member that could is well');
  return {
    kind: 'cancel-downgrade',
    who,
    reason: reason(
      'upgrade-cancel-downgrade',
      stopped === null
        ? 'a downgrade is under way that nobody goes on with, and nobody can join meanwhile: it is cancelled'
        : `a downgrade is under way, and nobody can join meanwhile: it is cancelled until somebody goes on with it (${stopped.reason.sentence})`,
    ),
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
  const { member, from, to } = first;
  const down = work.kind === 'down' ? downgradeOf(seen, work) : null;
  if (down?.kind === 'wait') return nobody('upgrade-settling', down.why);
  if (down?.kind === 'enable')
    return {
      kind: 'enable-downgrade',
      who: member.name,
      from,
      to,
      reason: reason('upgrade-enable-downgrade', `etcd is told to go back to ${work.to}`),
    };
  return stepOf(seen, first, 'step', reason('upgrade-step', `${member.name} steps from ${from} to ${to}`));
}

/** What mends a check that failed; null: only an operator can. */
function remedyOf(seen: UpgradeObservation, work: Work, barring: Check): UpgradeAction | null {
  if (barring.code === 'upgrade-v2') return clear(seen, work, barring, v2Trouble);
  if (barring.code !== 'upgrade-snapshot') return null;
  // Every member's snapshot at once lowers the cluster's version for a moment, which is nothing for one of the next minor.
  const begun = seen.members.some((it) => it.version !== null && minorOf(it.version) === work.to);
  return begun ? clear(seen, work, barring, logTrouble) : bringSnapshot(seen, work, barring);
}

/** How it stands with what a member's data hold: all is well, a restart mends it, or nothing here does. */
type Trouble = 'none' | 'mendable' | 'beyond';

function v2Trouble({ answer }: UpgradeMember): Trouble {
  if (!answer.known || !answer.value.v2.known || answer.value.v2.value === 'store') return 'beyond';
  return answer.value.v2.value === 'clean' ? 'none' : 'mendable';
}

function logTrouble({ answer }: UpgradeMember): Trouble {
  if (!answer.known || !answer.value.replay.known) return 'beyond';
  return answer.value.replay.value.lastV2Index === null ? 'none' : 'mendable';
}

function bringSnapshot(seen: UpgradeObservation, work: Work, barring: Check): UpgradeAction | null {
  const first = work.candidates[0];
  const unreadable = seen.members.some((it) => logTrouble(it) === 'beyond');
  if (unreadable || first === undefined) return null;
  return {
    kind: 'bring-snapshot',
    who: first.member.name,
    from: first.from,
    to: first.to,
    reason: reason(
      'upgrade-bring-snapshot',
      `${barring.sentence}: ${first.member.name} has every member take a snapshot`,
    ),
  };
}

/** One after the other, and none where the end would still be barred: a restart for nothing is a restart too many. */
function clear(
  seen: UpgradeObservation,
  { candidates }: Work,
  barring: Check,
  troubleOf: (member: UpgradeMember) => Trouble,
): UpgradeAction | null {
  const first = candidates.find(({ member }) => troubleOf(member) === 'mendable');
  const beyond = candidates.some(({ member }) => troubleOf(member) === 'beyond');
  if (first === undefined || beyond) return null;
  const sentence = `${barring.sentence}: ${first.member.name} restarts, so that they leave its log`;
  return stepOf(seen, first, 'clear', reason('upgrade-clear', sentence));
}

function stepOf(
  seen: UpgradeObservation,
  { member, from, to }: Candidate,
  kind: 'step' | 'clear' | 'end-clear',
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
    .toSorted((a, b) => b.appliedIndex - a.appliedIndex || (a.id < b.id ? -1 : 1));
  return others[0]?.id ?? null;
}
