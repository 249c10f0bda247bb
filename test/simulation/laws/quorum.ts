import { quorumOf } from '../../../src/core/members.ts';
import { CLOSE_ENTRIES } from '../../../src/core/numbers.ts';
import type { LawCheck } from './law.ts';
import { createUnnoticed } from './noticed.ts';

/** An act after which quorum is lost is ours unless a fault came, or went, so shortly before it that nobody could know; ms. */
const NOTICED_MS = 4_000;

/** A tick's own questions may each take their whole deadline, and Route 53's three tries of 5 s; ms. */
const IN_THIS_TICK_MS = 30_000;

/** Between a look at the members right before a removal, and the removal; etcd's own check is for what comes then; ms. */
const AT_ONCE_MS = 10;

/** An etcd that its appliance has told to stop answers until it ends, and a look takes a moment; ms. */
const STOPS_MS = 1_000;

/** Etcd answers within its own deadline of some 7 s: what is applied later lay in the log of a leader that had no quorum; ms. */
const LAY_IN_LOG_MS = 10_000;

/** Law 5: no act after which the healthy voters are fewer than a majority. */
export const quorumKept: LawCheck = {
  law: 5,
  check: 'quorum-kept',
  watch: (report) => {
    const isUnnoticed = createUnnoticed(NOTICED_MS);
    return (it, atMs) => {
      const unnoticed = isUnnoticed(it, atMs);
      if (it.kind !== 'membership' || it.change === 'add' || unnoticed) return;
      const { before, after } = it;
      if (before.healthy >= quorumOf(before.voters) && after.healthy < quorumOf(after.voters))
        report(
          `${it.change} of ${it.member.id} by ${it.by} leaves ${after.healthy} of ${after.voters} voters`,
        );
    };
  },
};

/** Law 5: no member is removed that was needed for a majority's data, unless a disk went so shortly before that nobody could know. */
export const dataKeptByMajority: LawCheck = {
  law: 5,
  check: 'data-kept-by-majority',
  watch: (report) => {
    let faultAt = Number.NEGATIVE_INFINITY;
    return (it, atMs) => {
      // From its beginning, however long it lasts: who does not answer is not counted on.
      if (it.kind === 'fault') faultAt = atMs;
      if (it.kind !== 'membership' || it.losesMajority !== true || atMs - faultAt < NOTICED_MS) return;
      report(`${it.by} removes ${it.member.name}, and what is left lacks the data of a majority`);
    };
  },
};

/** Law 5: promoted is who answers and is close to the leader, and by itself. */
export const promotedWell: LawCheck = {
  law: 5,
  check: 'promoted-well',
  watch: (report) => {
    let faultUntil = Number.NEGATIVE_INFINITY;
    const isUnnoticed = createUnnoticed(NOTICED_MS);
    const sentAt = new Map<string, number>();
    /** Who was told to stop after it had asked for its promotion: etcd may apply that only when a quorum is back. */
    const stops = new Set<string>();
    return (it, atMs) => {
      if (it.kind === 'promotion-sent') {
        stops.delete(it.by);
        sentAt.set(it.by, atMs);
      }
      if (it.kind === 'told') stops.add(it.id);
      if (it.kind === 'fault') faultUntil = Math.max(faultUntil, atMs + it.lastsMs);
      const unnoticed = isUnnoticed(it, atMs);
      if (it.kind !== 'membership' || it.change !== 'promote') return;
      if (it.by !== it.member.name) report(`${it.member.name} is promoted by ${it.by}, not by itself`);
      // What it was like when it asked, is looked at below.
      if (atMs - (sentAt.get(it.by) ?? atMs) > LAY_IN_LOG_MS) return;
      if (!it.answers && !unnoticed && !stops.has(it.by))
        report(`${it.member.name} is promoted, and does not answer`);
      // While clients write a lot, it may fall behind between its own word, which is looked at below, and its promotion.
      if (it.behind > CLOSE_ENTRIES && atMs - faultUntil >= NOTICED_MS)
        report(`${it.member.name} is promoted ${it.behind} entries behind`);
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

/** Law 5: nobody asks for a removal after which quorum would be lost, though etcd may refuse it. */
export const removalAsked: LawCheck = {
  law: 5,
  check: 'removal-asked',
  watch: (report) => {
    const isUnnoticed = createUnnoticed(NOTICED_MS);
    let changedAt = Number.NEGATIVE_INFINITY;
    let stoppedAt = Number.NEGATIVE_INFINITY;
    return (it, atMs) => {
      const unnoticed = isUnnoticed(it, atMs);
      if (it.kind === 'membership') changedAt = atMs;
      if (it.kind === 'etcd-stopped') stoppedAt = atMs;
      if (it.kind !== 'removal-sent' || it.member.learner) return;
      if (unnoticed || atMs - changedAt < AT_ONCE_MS || atMs - stoppedAt < STOPS_MS) return;
      const { before, after } = it;
      if (before.healthy >= quorumOf(before.voters) && after.healthy < quorumOf(after.voters))
        report(
          `${it.by} asks for the end of ${it.member.name}, which leaves ${after.healthy} of ${after.voters}`,
        );
    };
  },
};

/** Law 5: who asks for its promotion has its own etcd's word, given just now, that it is close to the leader. */
export const promotedKnown: LawCheck = {
  law: 5,
  check: 'promoted-known',
  watch: (report) => (it) => {
    if (it.kind !== 'promotion-sent') return;
    if (it.ownWordMs === null || it.ownWordMs > IN_THIS_TICK_MS)
      report(`${it.by} asks for a promotion, and its own etcd did not answer in this tick`);
    if (it.behind !== null && it.behind > CLOSE_ENTRIES)
      report(`${it.by} asks for a promotion ${it.behind} entries behind`);
  },
};
