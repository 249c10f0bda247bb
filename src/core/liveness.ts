import { FAR_SEEDED_SILENCE_MS, LIVENESS_LIMIT_MS, SEEDED_SILENCE_MS, START_LIMIT_MS } from './numbers.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** What a verdict on a running etcd process rests on. */
export interface LivenessObservation {
  /** For how long every ask of its own client port went without an answer; 0: the last was answered; ms. */
  readonly silentMs: number;
  /** Whether this very process ever answered. */
  readonly answeredOnce: boolean;
  /** For a joiner in its first run: for how long its snapshot was in place when it was last asked; null: no joiner, or none is; ms. */
  readonly seededMs: number | null;
  /** Whether it defragments its database: it answers no client meanwhile. */
  readonly defragments: boolean;
  /** Whether it puts a snapshot of the leader in place: it answers no client meanwhile. */
  readonly restores: boolean;
  /** For how long it was seen to do neither, when it was last asked, after it had; null: it had not, in this run; ms. */
  readonly idleMs: number | null;
  /** Whether the members are in several regions. */
  readonly far: boolean;
  /** Whether anything answers as etcd at its peer port; null: not asked. */
  readonly peersAnswered: boolean | null;
}

/** Why a process is judged so. */
export type LivenessCode =
  | 'alive'
  | 'alive-defragmenting'
  | 'alive-restoring'
  | 'alive-starting'
  | 'alive-without-quorum'
  | 'publication-lost'
  | 'liveness-failed'
  | 'start-hangs';

/** `ask`: the peer port must be asked before a verdict. */
export interface LivenessVerdict {
  readonly kind: 'alive' | 'ask' | 'dead';
  readonly reason: Reason<LivenessCode>;
}

/**
 * Whether a process that lives has failed its liveness (law 7). One that answered before and does not any more is dead
 * after the liveness limit. One that never did may be reading a large database, or waiting for the quorum that it was
 * started without: until then etcd opens no client port, and killing it would make lost quorum worse for ever. While it
 * speaks to its peers it is alive; silent to everybody, it has the start limit. So has one that defragments, or puts a
 * snapshot of the leader in place: until it is done, etcd answers no client, not even with its status (3.4 to 3.7).
 *
 * One exception is no failure: a joiner whose snapshot is in place and that does not serve has lost its first publication,
 * and would open its client port only 7 s later. A learner that was never promoted is no part of quorum: it is started
 * again, once.
 */
export function planLiveness(seen: LivenessObservation): LivenessVerdict {
  const seconds = Math.round(seen.silentMs / 1000);
  const verdict = (kind: LivenessVerdict['kind'], code: LivenessCode, sentence: string): LivenessVerdict => ({
    kind,
    reason: reason(code, sentence),
  });
  const publicationMs = seen.far ? FAR_SEEDED_SILENCE_MS : SEEDED_SILENCE_MS;
  // The snapshot is in place once etcd is done with it, however long that took.
  const placedMs = Math.min(seen.seededMs ?? 0, seen.idleMs ?? Number.POSITIVE_INFINITY);
  if (!seen.answeredOnce && !seen.restores && placedMs >= publicationMs) {
    return verdict(
      'dead',
      'publication-lost',
      'its snapshot is in place and it does not serve: it is started again, instead of waiting for its next publication',
    );
  }
  if (seen.silentMs < LIVENESS_LIMIT_MS) return verdict('alive', 'alive', 'etcd answers');
  const excuse = excuseOf(seen);
  if (seen.answeredOnce && excuse !== null && seen.silentMs < START_LIMIT_MS)
    return verdict(
      'alive',
      excuse.code,
      `${excuse.doing}, and has answered nobody for ${seconds} s meanwhile`,
    );
  // It is done, and no ask was answered yet: the one that is under way may have begun before.
  if (seen.answeredOnce && excuse === null && seen.idleMs !== null && seen.idleMs < LIVENESS_LIMIT_MS)
    return verdict('alive', 'alive', 'etcd was busy with its database until a moment ago');
  if (seen.answeredOnce) {
    return verdict(
      'dead',
      'liveness-failed',
      `etcd answered before, and has not for ${seconds} s though its process lives`,
    );
  }
  if (seen.peersAnswered === null)
    return verdict('ask', 'alive-starting', `etcd has not answered a client for ${seconds} s`);
  if (seen.peersAnswered) {
    return verdict(
      'alive',
      'alive-without-quorum',
      'etcd speaks to its peers, and waits for quorum or a snapshot before it serves',
    );
  }
  return seen.silentMs < START_LIMIT_MS
    ? verdict('alive', 'alive-starting', `etcd has been starting for ${seconds} s`)
    : verdict(
        'dead',
        'start-hangs',
        `etcd has said nothing to anybody for ${seconds} s since it was started`,
      );
}

/** What etcd does that it answers no client meanwhile; killed, it would begin it again for nothing. Null: nothing of the kind. */
function excuseOf({
  defragments,
  restores,
}: LivenessObservation): { readonly code: LivenessCode; readonly doing: string } | null {
  // Some 100 MB a second, less on a slow disk.
  if (defragments) return { code: 'alive-defragmenting', doing: 'etcd defragments its database' };
  // Some 200000 keys a second.
  return restores ? { code: 'alive-restoring', doing: 'etcd puts a snapshot of the leader in place' } : null;
}
