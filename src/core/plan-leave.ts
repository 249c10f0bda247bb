import { isRefused, type Known } from './known.ts';
import type { MemberList, MemberStatus } from './members.ts';
import { isOutOfSpace, quorumOf, votersOf } from './members.ts';
import { LEAVE_GRACE_MS } from './numbers.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** Why an instance stops: it goes for good, or only its process is asked to. */
export type Departure =
  { readonly kind: 'going'; readonly why: string } | { readonly kind: 'restart'; readonly why: string };

/** What AWS says when the appliance is asked to stop. */
export interface DepartureObservation {
  /** Metadata's target lifecycle state; null: not in a group. */
  readonly targetState: Known<string | null>;
  /** EC2's state of the own instance. */
  readonly ec2State: Known<string>;
  readonly spotNotice: Known<boolean>;
  /** Auto Scaling's lifecycle state of the own instance, as last seen. */
  readonly lifecycle: Known<string>;
}

/**
 * Why the appliance is asked to stop (design.md, "Leaving"). Only a positive answer means that the instance goes; no
 * answer, and Standby, mean a restart: membership and data stay.
 */
export function whyStopping(seen: DepartureObservation): Departure {
  const target = seen.targetState.known ? seen.targetState.value : null;
  if (target !== null && (target === 'Terminated' || target === 'Detached' || target.startsWith('Warmed:'))) {
    return { kind: 'going', why: `metadata says that the instance becomes ${target}` };
  }
  if (seen.spotNotice.known && seen.spotNotice.value)
    return { kind: 'going', why: 'EC2 takes the spot instance back' };
  if (
    seen.ec2State.known &&
    (seen.ec2State.value === 'shutting-down' || seen.ec2State.value === 'terminated')
  ) {
    return { kind: 'going', why: `EC2 says ${seen.ec2State.value}` };
  }
  if (seen.lifecycle.known && seen.lifecycle.value.startsWith('Terminating')) {
    return { kind: 'going', why: `the group says ${seen.lifecycle.value}` };
  }
  return {
    kind: 'restart',
    why: target === null ? 'nothing says that the instance goes' : `the instance stays ${target}`,
  };
}

/** What a departure in order is planned from. */
export interface LeaveObservation {
  readonly departure: Departure;
  readonly status: Known<MemberStatus>;
  readonly list: Known<MemberList>;
  /** Of the healthy ones besides this one those that may lead next, the best first; of those that leave too only who goes later. */
  readonly successors: readonly string[];
  /** Voters besides this one that serve and follow the leader that it follows, leaving or not. */
  readonly healthyOthers: number;
  /**
   * How many of those leave too, and first: several count on the same members, and each may be gone before this one is. All of
   * them where it is not known who leaves.
   */
  readonly leaveFirst: number;
  /** Whether the cluster was ever known to be formed; false: a birth that nobody was promised anything of. */
  readonly formed: boolean;
  /** Whether the others know that this instance leaves, and how. */
  readonly announced: boolean;
  /** Whether who keeps house knows that it leaves, and no client record names it any more; or its time for that is over. */
  readonly outOfDns: boolean;
  /** Whether another member steps to another etcd just now, or may: it is away for a moment then. */
  readonly stepElsewhere: boolean;
  /** Whether the machine's or the hook's grace is almost over. */
  readonly graceOver: boolean;
}

/** Why a departure goes on, or waits. */
export type LeaveCode =
  | 'leave-restart'
  | 'leave-announce'
  | 'leave-dns'
  | 'leave-step'
  | 'leave-hand-over'
  | 'leave-remove'
  | 'leave-quorum-short'
  | 'leave-unformed'
  | 'leave-only-voter'
  | 'leave-removed'
  | 'leave-grace-over'
  | 'leave-no-answer';

/** One step of a departure. */
export type LeaveAction = { readonly reason: Reason<LeaveCode> } & (
  | { readonly kind: 'announce'; readonly as: Departure['kind'] }
  | { readonly kind: 'hand-over'; readonly targetId: string }
  | { readonly kind: 'remove-self'; readonly memberId: string }
  /** Keep etcd and the heartbeats running. */
  | { readonly kind: 'wait' }
  /** The end: stop etcd, complete the hook. */
  | { readonly kind: 'stop' }
);

/**
 * A departure in order: tell, leave DNS, hand over leadership, remove oneself while quorum stays, stop. While quorum
 * would not stay, etcd runs on until an eviction or a join lets it go (law 5).
 */
export function planLeave(seen: LeaveObservation): LeaveAction {
  const { status } = seen;
  const target = seen.successors[0];
  const leads = status.known && status.value.leader === status.value.memberId;
  const learns = status.known && status.value.learner;
  const healthy = seen.healthyOthers - seen.leaveFirst;
  const stop = (code: LeaveCode, sentence: string): LeaveAction => ({
    kind: 'stop',
    reason: reason(code, sentence),
  });
  const wait = (code: LeaveCode, sentence: string): LeaveAction => ({
    kind: 'wait',
    reason: reason(code, sentence),
  });
  const handOver = (to: string): LeaveAction => ({
    kind: 'hand-over',
    targetId: to,
    reason: reason('leave-hand-over', `hands leadership to ${to}`),
  });
  const waitForStep = wait('leave-step', 'another member steps to another etcd: waits until it is back');
  const announce: LeaveAction = {
    kind: 'announce',
    as: seen.departure.kind,
    reason: reason(
      'leave-announce',
      `tells the others that it ${seen.departure.kind === 'going' ? 'leaves' : 'restarts'}: ${seen.departure.why}`,
    ),
  };
  if (seen.departure.kind === 'restart') {
    // Who would step to another etcd just now is to know: two away at once may be one too many. An etcd without space takes
    // no word, nor does it give anybody the lock; nor does a learner's, which nobody counts on.
    const takesWord = status.known && !learns && seen.list.known && !isOutOfSpace(status.value);
    if (!seen.announced && takesWord && !seen.graceOver) return announce;
    if (leads && target !== undefined && !seen.graceOver) return handOver(target);
    if (seen.stepElsewhere && !learns && !seen.graceOver) return waitForStep;
    return stop('leave-restart', `stops, and stays a member: ${seen.departure.why}`);
  }
  if (seen.graceOver)
    return stop('leave-grace-over', 'the grace is almost over: stops, and is evicted later');
  // Authentication is switched on where a quorum serves.
  const isLetIn = !isRefused(status) && !isRefused(seen.list);
  if (!seen.formed && !seen.list.known && isLetIn) {
    return stop('leave-unformed', 'its cluster was never formed and has no quorum: nothing was promised');
  }
  if (!status.known) {
    const voters = seen.list.known ? votersOf(seen.list.value.members).length : null;
    // Stopped as a member, it counts until it is evicted: the others must be a majority with it.
    return voters !== null && healthy >= quorumOf(voters - seen.leaveFirst)
      ? stop(
          'leave-no-answer',
          `the own etcd does not answer (${status.reason}): stops, and is evicted later`,
        )
      : wait('leave-quorum-short', `the own etcd does not answer (${status.reason}), and may be needed`);
  }
  if (!seen.list.known) return wait('leave-quorum-short', `no linearizable answer: ${seen.list.reason}`);
  const { members } = seen.list.value;
  const own = members.find((it) => it.id === status.value.memberId);
  if (own === undefined) return stop('leave-removed', 'no longer a member: stops');
  if (own.learner) return remove(status.value.memberId, 'a learner is no part of quorum: removes itself');
  // An etcd without space takes no word until somebody makes room, or replaces the instances by some with a larger quota:
  // nobody steps meanwhile, and of those that leave at once each is a member, and runs, until it is removed.
  if (!seen.announced && !isOutOfSpace(status.value)) return announce;
  const others = votersOf(members).length - 1;
  if (others === 0)
    return wait('leave-only-voter', 'the only voter never removes itself: waits for a successor');
  if (!seen.outOfDns) return wait('leave-dns', 'waits until no client record names it');
  if (seen.stepElsewhere) return waitForStep;
  if (healthy < quorumOf(others - seen.leaveFirst)) {
    const apart = seen.leaveFirst === 0 ? '' : `, not counting ${seen.leaveFirst} that may leave first`;
    return wait(
      'leave-quorum-short',
      `only ${healthy} of ${others - seen.leaveFirst} other voters are healthy, hear the leader and are heard by it${apart}: stays until one comes or goes`,
    );
  }
  // That the others hear this one does not say that they hear each other: it goes once they follow another.
  if (leads) {
    return target === undefined
      ? wait('leave-quorum-short', 'nobody could lead next: stays until one can')
      : handOver(target);
  }
  return remove(status.value.memberId, 'removes itself: the others are a healthy majority');
}

/**
 * Why a departure ends where no etcd has been in hand for so long; null: it waits, as the life of the member sees that it
 * leaves, and ends. Where that cannot end, as when the data cannot be read, there is nothing to leave with: a hook that is
 * told to wait on would keep the instance for hours.
 */
export function whyEndWithoutEtcd(forMs: number): Reason<'leave-without-etcd'> | null {
  if (forMs < LEAVE_GRACE_MS) return null;
  return reason(
    'leave-without-etcd',
    `no etcd has been in hand for ${Math.round(forMs / 1_000)} s: ends, and is evicted later`,
  );
}

function remove(memberId: string, sentence: string): LeaveAction {
  return { kind: 'remove-self', memberId, reason: reason('leave-remove', sentence) };
}
