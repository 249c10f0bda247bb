import type { Claim } from './claim.ts';
import { claimRecord } from './claim.ts';
import { offeredMark } from './local-data.ts';
import { namesOf } from './names.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { RecordSet } from './records.ts';
import { swap } from './records.ts';
import type { QuorumAnswer, StartAction, StartCode, StartFact } from './start.ts';

/** Ask for facts that this tick has not gathered yet. */
export function ask(facts: readonly StartFact[]): StartAction {
  return { kind: 'ask', facts, reason: reason('ask', `${facts.join(' and ')} must be known first`) };
}

/** Do nothing in this tick, and say why. */
export function wait(code: StartCode, sentence: string): StartAction {
  return { kind: 'wait', reason: reason(code, sentence) };
}

/** Why no appliance is let in, as etcd says it; null: nobody said so. */
export function whyNotLetIn(quorum: QuorumAnswer): string | null {
  return quorum.kind === 'nobody' ? (quorum.refused[0]?.reason ?? null) : null;
}

/** Write the claim in the place of what stands, and nothing else. `before` null: nothing stands. */
export function writeClaim(
  cluster: string,
  before: RecordSet | null,
  claim: Claim,
  why: Reason<StartCode>,
): StartAction {
  return {
    kind: 'register',
    changes: swap(before, claimRecord(namesOf(cluster).claim, claim)),
    mark: null,
    readAgain: false,
    hint: null,
    reason: why,
  };
}

/** Move the data beside the data directory. */
export function setAside(code: StartCode, sentence: string): StartAction {
  return { kind: 'set-aside', reason: reason(code, sentence) };
}

/** Forget the mark on disk: the claim that it was made for does not stand, and its data are gone. `nonce` is a fresh one. */
export function clearMark(nonce: string, sentence: string): StartAction {
  return { kind: 'clear-mark', mark: offeredMark(nonce), reason: reason('stale-mark', sentence) };
}

/** Start etcd on the data that are here. */
export function startData(code: StartCode, sentence: string): StartAction {
  return { kind: 'start-data', reason: reason(code, sentence) };
}
