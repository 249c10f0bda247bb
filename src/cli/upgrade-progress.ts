import type { UpgradeMember, UpgradeObservation } from '../core/upgrade.ts';
import { minorOf, minorsBetween } from '../core/versions.ts';
import type { Report } from './upgrade-report.ts';
import { finalOf } from './upgrade-report.ts';

/** What a member is at, in the order of a step. */
export const STAGES = ['waits', 'leaves DNS', 'stopped', 'starts', 'catches up', 'done'] as const;

/** How far one member is. */
export interface MemberProgress {
  readonly instanceId: string;
  readonly stage: (typeof STAGES)[number];
  /** Of the etcd that it ran when it was last heard. */
  readonly version: string;
  readonly final: string | null;
  /** Stages of all its rounds; a minor, or a patch, is one round. */
  readonly done: number;
  readonly total: number;
}

const A_ROUND = STAGES.length - 1;

/** Remembers where each member began, so that its progress can be told over several minors. */
export function createProgress(): (seen: UpgradeObservation) => readonly MemberProgress[] {
  const began = new Map<string, string>();
  const ran = new Map<string, string>();
  return (seen) =>
    seen.members.map((member) => {
      const { name, version } = member;
      if (version !== null) ran.set(name, version);
      const now = ran.get(name) ?? '';
      const start = began.get(name) ?? now;
      began.set(name, start);
      return progressOf(member, seen, start, now);
    });
}

function progressOf(
  member: UpgradeMember,
  seen: UpgradeObservation,
  start: string,
  now: string,
): MemberProgress {
  const order = seen.record.known ? seen.record.value.to : null;
  const final = finalOf(member, order);
  const stage = stageOf(member, seen, final);
  const rounds = roundsBetween(start, final ?? start);
  const total = Math.max(1, rounds) * A_ROUND;
  const behind = roundsBetween(now, final ?? now);
  const before = Math.max(0, rounds - Math.max(1, behind)) * A_ROUND;
  const done = stage === 'done' ? total : Math.min(total, before + STAGES.indexOf(stage));
  return { instanceId: member.name, stage, version: now, final, done, total };
}

function roundsBetween(from: string, to: string): number {
  if (from === to || from === '') return 0;
  return Math.max(1, Math.abs(minorsBetween(minorOf(from), minorOf(to)) ?? 1));
}

function stageOf(
  member: UpgradeMember,
  seen: UpgradeObservation,
  final: string | null,
): MemberProgress['stage'] {
  const step = seen.record.known ? seen.record.value.step : null;
  const { version, answer } = member;
  if (step?.by === member.name) {
    // Its appliance cannot tell of data while it has no etcd.
    if (version === null) return answer.known && answer.value.v2.known ? 'starts' : 'stopped';
    return version === step.from ? 'leaves DNS' : 'catches up';
  }
  return version !== null && version === final ? 'done' : 'waits';
}

/** What follows from how an upgrade stands. */
export type Verdict =
  | { readonly kind: 'goes-on' }
  | { readonly kind: 'done' }
  | { readonly kind: 'stands'; readonly why: string };

/** What an operator has to mend is believed when it stands for so long: a look may fall between two answers. */
const BELIEVED_MS = 3_000;

/** What usually mends itself, and a turn that nobody takes, is given longer than a step may last. */
const PATIENCE_MS = 150_000;

/** For how long a report has said nothing new; ms. */
export interface Unchanged {
  /** It has stood still for the same reason, with the same members. */
  readonly stoodMs: number;
  /** Nothing has come that was not there before. */
  readonly idleMs: number;
}

/** Remembers what reports said, `now` on a clock that never goes back. */
export function createPatience(): (report: Report, now: number) => Unchanged {
  const seen = new Set<string>();
  let newAt = 0;
  let stands: { readonly key: string; readonly since: number } | null = null;
  return (report, now) => {
    const { fingerprint, members } = fingerprintOf(report);
    // What comes again and again, as a lock that is taken and given back, is no progress.
    if (!seen.has(fingerprint)) newAt = now;
    seen.add(fingerprint);
    const key = report.standing === 'stands' ? `${report.plan.code} ${members}` : null;
    if (key === null) stands = null;
    else if (stands?.key !== key) stands = { key, since: now };
    return { stoodMs: stands === null ? 0 : now - stands.since, idleMs: now - newAt };
  };
}

/** What there is to be progress in. Sentences tell of times and sizes, which change without any. */
function fingerprintOf({ members, plan, lockedBy, refresh }: Report): {
  readonly fingerprint: string;
  readonly members: string;
} {
  const told = members.map((it) => `${it.instanceId} ${it.runs ?? ''}`).join();
  const { code, who } = plan;
  const fingerprint = JSON.stringify([told, code, who, lockedBy, refresh?.percent, refresh?.status]);
  return { fingerprint, members: told };
}

/** What to make of a report that has said the same for so long. While instances are replaced, all can still change. */
export function verdictOf(report: Report, { stoodMs, idleMs }: Unchanged): Verdict {
  const { standing, plan, refresh } = report;
  if (refresh?.active === true) return { kind: 'goes-on' };
  if (standing === 'none') return { kind: 'done' };
  // Who was replaced may still be leaving, and is a member until then.
  const believedMs = refresh === null ? BELIEVED_MS : PATIENCE_MS;
  if (standing === 'stands' && stoodMs >= believedMs) return { kind: 'stands', why: plan.sentence };
  const isHeld = report.lockedBy !== null;
  if (standing !== 'stands' && !isHeld && idleMs >= PATIENCE_MS)
    return {
      kind: 'stands',
      why: `${plan.sentence}; nothing has changed for ${Math.round(idleMs / 1000)} s`,
    };
  return { kind: 'goes-on' };
}
