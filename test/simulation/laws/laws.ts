import type { Broken } from '../ending.ts';
import type { Hear } from '../world/happening.ts';
import { bornOfMajority, claimComplete, claimFollows } from './claims.ts';
import { voteNoted, dataKept, discardedInOrder, votersDataUsed, writesKept } from './data-kept.ts';
import { evidence } from './eviction.ts';
import { knownOnly, namesKnownOnly } from './known-only.ts';
import type { LawCheck } from './law.ts';
import { fenced, handsOff, namesUnderLock, underLock } from './lock.ts';
import {
  foreignUntouched,
  goneUnnamed,
  healthyNamed,
  leavesNamesFirst,
  marksKept,
  namesResolve,
  neverEmptied,
} from './names.ts';
import { beginsOnce } from './no-old-id.ts';
import { foundedOnce, onePromise, oneServes, ownToken } from './one-cluster.ts';
import { busyLeftAlone, stoppedForReason, waitingLeftAlone } from './own-etcd.ts';
import {
  dataKeptByMajority,
  oneChange,
  promotedKnown,
  promotedWell,
  quorumKept,
  removalAsked,
} from './quorum.ts';
import { deadIsDead, nothingThrown } from './steady.ts';
import {
  leaderLast,
  minorsClose,
  oneStep,
  preflightHeld,
  stepKeepsQuorum,
  stepUnderLock,
  versionFits,
} from './upgrade.ts';

/** Every check of every law (docs/design.md section 2). */
export const LAW_CHECKS: readonly LawCheck[] = [
  onePromise,
  oneServes,
  foundedOnce,
  ownToken,
  bornOfMajority,
  dataKept,
  discardedInOrder,
  voteNoted,
  votersDataUsed,
  writesKept,
  beginsOnce,
  knownOnly,
  namesKnownOnly,
  marksKept,
  quorumKept,
  dataKeptByMajority,
  removalAsked,
  promotedWell,
  promotedKnown,
  oneChange,
  evidence,
  stoppedForReason,
  waitingLeftAlone,
  busyLeftAlone,
  underLock,
  namesUnderLock,
  fenced,
  handsOff,
  minorsClose,
  versionFits,
  stepKeepsQuorum,
  stepUnderLock,
  oneStep,
  preflightHeld,
  leaderLast,
  claimFollows,
  claimComplete,
  neverEmptied,
  namesResolve,
  leavesNamesFirst,
  foreignUntouched,
  goneUnnamed,
  healthyNamed,
  deadIsDead,
  nothingThrown,
];

/** Judges one history. */
export interface Judge {
  readonly hear: Hear;
  /** In the order in which it was found. */
  readonly broken: readonly Broken[];
}

/** A judge that has heard nothing yet; `onBroken` is told at once. */
export function createJudge(onBroken: (broken: Broken) => void = () => undefined): Judge {
  const broken: Broken[] = [];
  const watchers = LAW_CHECKS.map(({ law, check, watch }) =>
    watch((what) => {
      const it: Broken = { law, check, what };
      broken.push(it);
      onBroken(it);
    }),
  );
  return {
    broken,
    hear: (happening, atMs) => {
      for (const it of watchers) it(happening, atMs);
    },
  };
}
