import { compareVersions, minorOf, minorsBetween } from '../../../src/core/versions.ts';
import { keepsQuorum } from '../world/upgrade.ts';
import type { Happening } from '../world/happening.ts';
import type { LawCheck } from './law.ts';
import { createUnnoticed } from './noticed.ts';

/** What broke so shortly before a step, its holder need not know; ms. */
const NOTICED_MS = 6_000;

/** Whether something came so lately that a holder's last look may not have shown it: a fault, a restart, a change of members. */
function createFreshness(): (it: Happening, atMs: number) => boolean {
  let changedAt = Number.NEGATIVE_INFINITY;
  const isUnnoticed = createUnnoticed(NOTICED_MS);
  return (it, atMs) => {
    if (it.kind === 'told' || it.kind === 'membership') changedAt = atMs;
    return isUnnoticed(it, atMs) || atMs - changedAt < NOTICED_MS;
  };
}

/** Law 5: members two minors apart never run beside each other: one of them dies. */
export const minorsClose: LawCheck = {
  law: 5,
  check: 'minors-close',
  watch: (report) => (it) => {
    if (it.kind !== 'members-run') return;
    const sorted = it.versions.toSorted(compareVersions);
    const [lowest = '', highest = ''] = [sorted[0], sorted.at(-1)];
    if ((minorsBetween(lowest, highest) ?? 2) > 1)
      report(`${it.id} begins to run, and members run etcd ${minorOf(lowest)} and ${minorOf(highest)}`);
  },
};

/** Law 5: no etcd is run as a version, or beside one, that it cannot live with. */
export const versionFits: LawCheck = {
  law: 5,
  check: 'version-fits',
  watch: (report) => (it) => {
    if (it.kind === 'version-death') report(`the etcd of ${it.id} ends by a version: ${it.words}`);
  },
};

/** Law 5: a step leaves a majority, unless there is nothing to spare. */
export const stepKeepsQuorum: LawCheck = {
  law: 5,
  check: 'step-keeps-quorum',
  watch: (report) => {
    const isFresh = createFreshness();
    return (it, atMs) => {
      const fresh = isFresh(it, atMs);
      if (it.kind !== 'etcd-stopped' || it.step === undefined || fresh) return;
      const { after } = it.step;
      if (it.served && !keepsQuorum(after))
        report(`${it.id} stops its etcd for a step, which leaves ${after.healthy} of ${after.voters} voters`);
    };
  },
};

/** Law 8: only who holds the upgrade lock stops its etcd for a step. */
export const stepUnderLock: LawCheck = {
  law: 8,
  check: 'step-under-lock',
  watch: (report) => (it) => {
    if (it.kind !== 'etcd-stopped' || it.step === undefined || it.step.lockHolder === it.id) return;
    report(`${it.id} stops its etcd for a step, and the upgrade lock is ${it.step.lockHolder ?? 'nobody'}'s`);
  },
};

/** Law 8: one member at a time is away by a step. */
export const oneStep: LawCheck = {
  law: 8,
  check: 'one-step',
  watch: (report) => {
    const isFresh = createFreshness();
    return (it, atMs) => {
      const fresh = isFresh(it, atMs);
      if (it.kind !== 'etcd-stopped' || it.step === undefined || fresh) return;
      if (it.step.away.length > 0)
        report(`${it.id} steps while ${it.step.away.join(' and ')} is away by a step`);
    };
  },
};

/** Law 8: nobody steps where etcd would die of it, or while somebody is not well. */
export const preflightHeld: LawCheck = {
  law: 8,
  check: 'preflight-held',
  watch: (report) => {
    const isFresh = createFreshness();
    return (it, atMs) => {
      const fresh = isFresh(it, atMs);
      if (it.kind !== 'etcd-stopped' || it.step === undefined) return;
      const { amiss, unwell, from, to } = it.step;
      const troubles = [...amiss, ...(fresh ? [] : unwell)];
      if (troubles.length > 0) report(`${it.id} steps from ${from} to ${to}, though ${troubles.join('; ')}`);
    };
  },
};

/** Law 8: the leader steps when all the others have. */
export const leaderLast: LawCheck = {
  law: 8,
  check: 'leader-last',
  watch: (report) => {
    const isFresh = createFreshness();
    return (it, atMs) => {
      const fresh = isFresh(it, atMs);
      if (it.kind !== 'step-began' || !it.leads || fresh) return;
      if (it.before.length > 0) report(`${it.id} leads, and steps before ${it.before.join(' and ')}`);
    };
  },
};
