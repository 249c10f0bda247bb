import { claimReading } from '../world/claim.ts';
import type { Happening } from '../world/happening.ts';
import type { LawCheck } from './law.ts';

/** Law 7: an etcd that serves the cluster of the claim is stopped only where its appliance was told to stop or to go. */
export const stoppedForReason: LawCheck = {
  law: 7,
  check: 'stopped-for-reason',
  watch: (report) => {
    const isMeant = createOrders();
    let lives: string | null = null;
    return (it) => {
      const meant = isMeant(it);
      lives = livingAfter(it, lives);
      if (
        it.kind === 'etcd-stopped' &&
        it.served &&
        // For a step, which law 8 judges.
        it.step === undefined &&
        it.clusterId === lives &&
        !meant(it.id)
      )
        report(`${it.id} stops its etcd, which serves the cluster that lives`);
    };
  },
};

/**
 * Law 7: an etcd that has not served yet, since it waits for a quorum, is left alone as long as it speaks to its peers; but a
 * learner's that may have lost its publication, once.
 */
export const waitingLeftAlone: LawCheck = {
  law: 7,
  check: 'waiting-left-alone',
  watch: (report) => {
    const isMeant = createOrders();
    /** Ids of learners that were stopped so before. */
    const stopped = new Set<string>();
    let lives: string | null = null;
    return (it) => {
      const meant = isMeant(it);
      lives = livingAfter(it, lives);
      if (it.kind !== 'etcd-stopped' || it.step !== undefined || it.clusterId !== lives) return;
      if (it.waits === undefined || meant(it.id)) return;
      const { id, learner } = it.waits;
      if (!learner)
        report(`${it.id} stops its etcd, a voter's that waits for a quorum and speaks to its peers`);
      else if (stopped.has(id)) report(`${it.id} stops its etcd, that joins, for the second time`);
      stopped.add(id);
    };
  },
};

/** From a look at etcd to the stop that a step makes of it, its member leaves the names first; ms. */
const LOOKED_MS = 8_000;

/**
 * Law 7: an etcd that is busy with its database, and would be done with it in its time, is left alone: ended, it would begin it
 * again for nothing, and a step to it would be taken back. Not so one of an epoch that another has replaced; and a step that
 * has begun may meet what somebody begins a moment later.
 */
export const busyLeftAlone: LawCheck = {
  law: 7,
  check: 'busy-left-alone',
  watch: (report) => {
    const isMeant = createOrders();
    let lives: string | null = null;
    return (it) => {
      const meant = isMeant(it);
      lives = livingAfter(it, lives);
      if (it.kind !== 'etcd-stopped' || it.busy === undefined || meant(it.id)) return;
      if (it.clusterId !== lives) return;
      if (it.step !== undefined && it.defragmentsMs !== undefined && it.defragmentsMs < LOOKED_MS) return;
      report(`${it.id} stops its etcd, which ${BUSY_WORDS[it.busy]}`);
    };
  },
};

const BUSY_WORDS = {
  starts: 'reads its database',
  restores: 'puts a snapshot of the leader in place',
  defragments: 'defragments its database',
} as const;

/** Whose etcd is meant to stop: its appliance was told to, or its instance goes, however often the appliance starts until then. */
function createOrders(): (it: Happening) => (id: string) => boolean {
  const told = new Set<string>();
  const goes = new Set<string>();
  return (it) => {
    if (it.kind === 'appliance' && it.runs) told.delete(it.id);
    if (it.kind === 'told') (it.to === 'go' ? goes : told).add(it.id);
    return (id) => told.has(id) || goes.has(id);
  };
}

/** The cluster that a claim promises, after this; null: none is. */
function livingAfter(it: Happening, before: string | null): string | null {
  if (it.kind !== 'records') return before;
  const reading = claimReading(it.after);
  return reading.kind === 'claim' && reading.claim.state === 'formed' ? reading.claim.clusterId : null;
}
