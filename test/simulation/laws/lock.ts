import type { LawCheck } from './law.ts';

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

/** Law 8: what is written under a lock is written only while that lock stands. */
export const fenced: LawCheck = {
  law: 8,
  check: 'fenced',
  watch: (report) => (it) => {
    if (it.kind === 'fence-passed') report(`${it.by} writes under a lock that is ${it.holder ?? 'nobody'}'s`);
  },
};
