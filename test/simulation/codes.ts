import type { LivenessCode } from '../../src/core/liveness.ts';
import type { ClaimCode } from '../../src/core/plan-claim.ts';
import type { DnsCode } from '../../src/core/plan-dns.ts';
import type { LeaveCode } from '../../src/core/plan-leave.ts';
import type { LockCode } from '../../src/core/plan-lock.ts';
import type { MemberCode } from '../../src/core/plan-member.ts';
import type { MembershipCode } from '../../src/core/plan-membership.ts';
import type { UpgradeCode } from '../../src/core/plan-upgrade.ts';
import type { StartCode } from '../../src/core/start.ts';

/**
 * `reached`, or why no history of the simulator can make a planner give this code, or why only one in a hundred thousand does, and
 * what shows it.
 */
type Reach = 'reached' | { readonly unreachable: string } | { readonly rare: string };

const unreachable = (why: string): Reach => ({ unreachable: why });
const rare = (why: string): Reach => ({ rare: why });

const AUTHENTICATION = unreachable(
  'the simulated etcd has no users; test/integration/etcd-authentication.test.ts and test/torture/authentication.test.ts show it',
);

const freedByAPerson = (where: string): Reach =>
  rare(`a person frees the name while a voter is away; ${where} has it`);

/*
 * Every code of every planner, complete by the compiler: a new code must be placed here before anything compiles. What is
 * said to be unreachable and was given all the same is reported as well.
 */

const START: Readonly<Record<StartCode, Reach>> = {
  ask: unreachable('a plan that asks for facts is made again with them, and never the one that is told'),
  'register-moved': unreachable('nobody configures another zone in a history'),
  'own-data': 'reached',
  'own-data-claim-unknown': 'reached',
  'own-data-quorum-lost': 'reached',
  'own-data-refused': AUTHENTICATION,
  'own-data-forming': 'reached',
  'own-data-no-claim': 'reached',
  'foreign-data': unreachable('no disk moves from one machine to another'),
  'never-born': 'reached',
  'other-cluster': freedByAPerson('histories-rare.test.ts'),
  'removed-while-away': 'reached',
  'damaged-data': 'reached',
  'damaged-data-kept': 'reached',
  'data-beside-forming': freedByAPerson('test/unit/core/start-data.cases.ts'),
  'data-beside-formed': freedByAPerson('test/unit/core/start-data.cases.ts'),
  'claim-unknown': 'reached',
  'claim-unreadable': 'reached',
  'name-taken': unreachable('there is one stack'),
  reseeding: unreachable('nothing reseeds yet'),
  'stale-mark': 'reached',
  'fleet-unknown': 'reached',
  'not-joinable': 'reached',
  'cluster-without-claim': 'reached',
  'etcd-without-quorum': 'reached',
  'records-without-claim': 'reached',
  'instance-holds-data': 'reached',
  'fleet-incomplete': 'reached',
  'birth-versions': unreachable('the images of a plot have what the first machines have'),
  'not-my-turn': 'reached',
  birth: 'reached',
  'birth-of-majority': 'reached',
  'forming-replaced': 'reached',
  'forming-wait': 'reached',
  'forming-lost': 'reached',
  mark: 'reached',
  found: 'reached',
  'late-founder': 'reached',
  'data-lost': 'reached',
  'groups-gone': 'reached',
  'quorum-lost': 'reached',
  'start-refused': AUTHENTICATION,
  'answers-as-me': unreachable('no etcd outlives its files here'),
  'preflight-failed': 'reached',
  'discard-never-voter': 'reached',
  'discard-never-born': 'reached',
  'discard-older': 'reached',
  'member-without-data': 'reached',
  'enter-group': 'reached',
  join: 'reached',
  'join-unread': 'reached',
};

const MEMBER: Readonly<Record<MemberCode, Reach>> = {
  'member-steady': 'reached',
  'member-no-answer': 'reached',
  'member-no-quorum': 'reached',
  'member-refused': AUTHENTICATION,
  'member-removed': 'reached',
  'member-other-id': rare(
    'who took a removed id serves with it only until its removal reaches it; test/unit/core/plan-member.test.ts has it',
  ),
  'foreign-claim': freedByAPerson('test/unit/core/plan-member.test.ts'),
  unborn: 'reached',
  'claim-silent': 'reached',
  'claim-reseeding': unreachable('nothing reseeds yet'),
  form: 'reached',
  'form-unclaimed': 'reached',
  'form-not-my-turn': 'reached',
  'form-lost-majority': 'reached',
  'form-other-cluster': unreachable(
    'founders start with what their claim says, and etcd makes its id of that',
  ),
  'note-formed': 'reached',
  'enter-claim': 'reached',
  promote: 'reached',
  'promote-unclaimed': 'reached',
  'learner-behind': 'reached',
  'learner-leaving': 'reached',
};

const MEMBERSHIP: Readonly<Record<MembershipCode, Reach>> = {
  'members-right': 'reached',
  'evict-terminated': 'reached',
  'evict-stopped': rare(
    'an instance that EC2 has stopped leaves its group and stays so for a minute; histories-life.test.ts has one',
  ),
  'learner-stalled': 'reached',
  'learner-of-nobody': 'reached',
  'learner-joining': 'reached',
  'member-silent-unknown': 'reached',
  'member-silent-lives': 'reached',
  'member-of-no-instance': unreachable('every voter has the id of its instance for its name'),
  'quorum-short': 'reached',
};

const LEAVE: Readonly<Record<LeaveCode, Reach>> = {
  'leave-restart': 'reached',
  'leave-announce': 'reached',
  'leave-dns': 'reached',
  'leave-step': 'reached',
  'leave-hand-over': 'reached',
  'leave-remove': 'reached',
  'leave-quorum-short': 'reached',
  'leave-unformed': 'reached',
  'leave-only-voter': 'reached',
  'leave-removed': 'reached',
  'leave-grace-over': 'reached',
  'leave-no-answer': 'reached',
};

const LOCK: Readonly<Record<LockCode, Reach>> = {
  'lock-keep': 'reached',
  'lock-take': 'reached',
  'lock-ask': 'reached',
  'lock-look': 'reached',
  'lock-release-leaving': 'reached',
  'lock-release-wanted': 'reached',
  'lock-release-blind': 'reached',
  'lock-no-space': 'reached',
  'lock-not-mine': 'reached',
};

const CLAIM: Readonly<Record<ClaimCode, Reach>> = {
  'claim-right': 'reached',
  'claim-voters': 'reached',
  'claim-groups': 'reached',
  'claim-founders-done': 'reached',
  'claim-restored': 'reached',
  'claim-not-ours': 'reached',
  'claim-fleet-unknown': 'reached',
  'mark-done': 'reached',
};

const DNS: Readonly<Record<DnsCode, Reach>> = {
  'dns-right': 'reached',
  'dns-change': 'reached',
  'dns-kept': 'reached',
  'dns-fleet-unknown': 'reached',
};

const LIVENESS: Readonly<Record<LivenessCode, Reach>> = {
  alive: 'reached',
  'alive-defragmenting': 'reached',
  'alive-restoring': 'reached',
  'alive-starting': 'reached',
  'alive-without-quorum': 'reached',
  'publication-lost': 'reached',
  'liveness-failed': 'reached',
  'start-hangs': unreachable('no freeze lasts a quarter of an hour, and what hangs is mended before'),
};

const UPGRADE: Readonly<Record<UpgradeCode, Reach>> = {
  'upgrade-done': 'reached',
  'upgrade-held': 'reached',
  'upgrade-unknown': 'reached',
  'upgrade-apart': unreachable('no member ever runs two minors from another: a law'),
  'upgrade-settling': 'reached',
  'upgrade-paused': 'reached',
  'upgrade-failed': 'reached',
  'upgrade-no-way-back': unreachable(
    'no binary breaks after it came up far enough to raise the version; histories-way-back.test.ts and test/torture/upgrade-faults.test.ts show it',
  ),
  'upgrade-locked': 'reached',
  'upgrade-orphaned': 'reached',
  'upgrade-step': 'reached',
  'upgrade-clear': 'reached',
  'upgrade-bring-snapshot': 'reached',
  'upgrade-enable-downgrade': 'reached',
  'upgrade-cancel-downgrade': 'reached',
  'upgrade-silent': 'reached',
  'upgrade-unstarted': rare(
    'the plan says so first, but of one that is added before the preflight; test/unit/core/upgrade-checks.test.ts has it',
  ),
  'upgrade-learner': 'reached',
  'upgrade-unhealthy': 'reached',
  'upgrade-lacks': 'reached',
  'upgrade-release': 'reached',
  'upgrade-patch': unreachable('every image has a patch that every way begins with'),
  'upgrade-auth': unreachable(
    'the simulated etcd has no users; test/unit/core/upgrade-checks.test.ts shows it',
  ),
  'upgrade-v2': rare(
    'requests of the old API are cleared, but where somebody asks for /health of an old release meanwhile; test/unit/core/upgrade-checks.test.ts has it',
  ),
  'upgrade-snapshot': rare(
    'whose log can be read, is helped: an etcd has to end between two answers of its instance; test/unit/core/plan-upgrade.test.ts has it',
  ),
  'upgrade-alarm': 'reached',
  'upgrade-disk': unreachable('a full disk takes the member away first'),
};

const PLANNERS = [START, MEMBER, MEMBERSHIP, LEAVE, LOCK, CLAIM, DNS, LIVENESS, UPGRADE];

/** Which codes of the planners some histories gave. */
export interface CodeCoverage {
  readonly given: readonly string[];
  /** Reachable, and not given. */
  readonly missing: readonly string[];
  /** Said to be unreachable, and given: the list above is wrong. */
  readonly surprising: readonly string[];
  readonly unreachable: readonly { readonly code: string; readonly why: string }[];
}

/** The coverage by these reasons, each `planner:code`, or with an event's name instead of the planner's. */
export function coverageOf(reasons: Iterable<string>): CodeCoverage {
  const given = new Set([...reasons].map((it) => it.slice(it.indexOf(':') + 1)));
  const all = PLANNERS.flatMap((codes): (readonly [string, Reach])[] => Object.entries(codes));
  const codesOf = (keep: (code: string, reach: Reach) => boolean): readonly string[] =>
    all.filter(([code, reach]) => keep(code, reach)).map(([code]) => code);
  return {
    given: codesOf((code) => given.has(code)),
    missing: codesOf((code, reach) => reach === 'reached' && !given.has(code)),
    surprising: codesOf((code, reach) => isUnreachable(reach) && given.has(code)),
    unreachable: all.flatMap(([code, reach]) =>
      isUnreachable(reach) ? [{ code, why: reach.unreachable }] : [],
    ),
  };
}

function isUnreachable(reach: Reach): reach is { readonly unreachable: string } {
  return reach !== 'reached' && 'unreachable' in reach;
}
