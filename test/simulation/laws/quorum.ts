import { quorumOf } from '../../../src/core/members.ts';
import { CLOSE_ENTRIES } from '../../../src/core/numbers.ts';
import type { LawCheck } from './law.ts';

/** An act after which quorum is lost is ours unless a fault came so shortly before it that nobody could know; ms. */
const NOTICED_MS = 4_000;

/** Law 5: no act after which the healthy voters are fewer than a majority. */
export const quorumKept: LawCheck = {
  law: 5,
  check: 'quorum-kept',
  watch: (report) => {
    let faultUntil = Number.NEGATIVE_INFINITY;
    return (it, atMs) => {
      if (it.kind === 'fault') faultUntil = Math.max(faultUntil, atMs + it.lastsMs);
      if (it.kind !== 'membership' || it.change === 'add' || atMs - faultUntil < NOTICED_MS) return;
      const { before, after } = it;
      if (before.healthy >= quorumOf(before.voters) && after.healthy < quorumOf(after.voters))
        report(
          `${it.change} of ${it.member.id} by ${it.by} leaves ${after.healthy} of ${after.voters} voters`,
        );
    };
  },
};

/** Law 5: promoted is who answers and is close to the leader, and by itself. */
export const promotedWell: LawCheck = {
  law: 5,
  check: 'promoted-well',
  watch: (report) => {
    let faultUntil = Number.NEGATIVE_INFINITY;
    return (it, atMs) => {
      if (it.kind === 'fault') faultUntil = Math.max(faultUntil, atMs + it.lastsMs);
      if (it.kind !== 'membership' || it.change !== 'promote') return;
      if (it.by !== it.member.name) report(`${it.member.name} is promoted by ${it.by}, not by itself`);
      if (atMs - faultUntil < NOTICED_MS) return;
      if (!it.answers) report(`${it.member.name} is promoted, and does not answer`);
      if (it.behind > CLOSE_ENTRIES) report(`${it.member.name} is promoted ${it.behind} entries behind`);
    };
  },
};

/** Law 5: one change at a time: nobody is added while a learner is there. */
export const oneChange: LawCheck = {
  law: 5,
  check: 'one-change',
  watch: (report) => (it) => {
    if (it.kind === 'membership' && it.learners > 1) report(`there are ${it.learners} learners at once`);
  },
};
