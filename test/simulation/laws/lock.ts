import type { MemberName } from '../world/happening.ts';
import type { LawCheck } from './law.ts';
import { createUnnoticed } from './noticed.ts';

/** Law 8: only who holds the lock removes a voter that is not its own. */
export const underLock: LawCheck = {
  law: 8,
  check: 'under-lock',
  watch: (report) => (it) => {
    if (it.kind !== 'removal-sent' || it.member.name === it.by || it.member.name === '') return;
    if (it.lockHolder !== it.by)
      report(`${it.by} removes ${it.member.name}, and the lock is ${it.lockHolder ?? 'nobody'}'s`);
  },
};

/** Law 8: only who holds the lock changes names, or, its own, the upgrade lock; the first ones come with the claim's commit, under its own comparison. */
export const namesUnderLock: LawCheck = {
  law: 8,
  check: 'names-under-lock',
  watch: (report) => (it) => {
    if (it.kind === 'batch-sent' && it.names && !it.forms && it.lockHolder !== it.by && it.step !== true)
      report(`${it.by} changes names, and the lock is ${it.lockHolder ?? 'nobody'}'s`);
  },
};

/** From the look at the lock of a step to what is sent: a guard counts for half of the own lock's time, and takes a while; ms. */
const LOOKED_AT_MS = 6_000;

/** Section 5: while a member steps to another etcd, who keeps house keeps its hands off. */
export const handsOff: LawCheck = {
  law: 8,
  check: 'hands-off',
  watch: (report) => {
    const isUnnoticed = createUnnoticed(LOOKED_AT_MS);
    /** Who holds the lock of a step, as last taken, and when that was. */
    let taken: { readonly by: string; readonly atMs: number } | null = null;
    return (it, atMs) => {
      const unnoticed = isUnnoticed(it, atMs);
      if (it.kind === 'step-lock') taken = { by: it.id, atMs };
      if (it.kind !== 'removal-sent' && it.kind !== 'batch-sent') return;
      const holder = it.stepHolder ?? null;
      if (holder === null || holder === it.by || taken?.by !== holder) return;
      // Frozen in between, an appliance sends its batch late; records change by the values that were read.
      if (atMs - taken.atMs < LOOKED_AT_MS || unnoticed) return;
      const what =
        it.kind === 'batch-sent' ? (it.names && !it.forms ? 'names' : null) : membersNot(it.by, it.member);
      if (what !== null) report(`${it.by} changes ${what}, while ${holder} steps to another etcd`);
    };
  },
};

function membersNot(by: string, { name }: MemberName): string | null {
  return name === by || name === '' ? null : `the members (${name})`;
}

/** Law 8: what is written under a lock is written only while that lock stands. */
export const fenced: LawCheck = {
  law: 8,
  check: 'fenced',
  watch: (report) => (it) => {
    if (it.kind === 'fence-passed') report(`${it.by} writes under a lock that is ${it.holder ?? 'nobody'}'s`);
  },
};
