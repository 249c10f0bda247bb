import { known } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { MemberList, MemberStatus } from '../core/members.ts';
import { votersOf } from '../core/members.ts';
import { LEAVE_DNS_MS, LEAVE_GRACE_MS, NOTICE_GRACE_MS } from '../core/numbers.ts';
import type { Departure, LeaveObservation } from '../core/plan-leave.ts';
import type { Reason } from '../core/reason.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { whyNotFollowing } from './follows.ts';
import { readLeaving } from './leaving-word.ts';
import type { AskedMember, Look } from './look.ts';
import { lookThrough, withEndpoints } from './look.ts';
import { readPublished } from './published.ts';
import type { MemberLook } from './state.ts';
import type { TerminatingHook } from './terminating-hook.ts';

/** What a departure is told by who runs it. */
export interface Leaving {
  /** Why it leaves, as now known. */
  departure(): Departure;
  /** When the process was told to stop, on the clock; null: it was not, a hook waits. From then the machine's grace counts. */
  orderedAt(): number | null;
  /** Whether the life of the member is over. */
  lifeOver(): boolean;
}

/** What a departure remembers from look to look. */
export interface DepartureMemory {
  readonly began: number;
  /** Since when it goes for good; null: it is only restarted, as far as it knows. */
  goingSince: number | null;
  readonly hook: TerminatingHook;
  leaseId: string | null;
  /** What the others were told. */
  announced: Departure['kind'] | null;
  /** Code of the last plan, and when it became that. */
  code: string | null;
  codeSince: number;
  /** Since when no etcd runs; null: one does. */
  withoutEtcdSince: number | null;
  /** Through which endpoint its cluster is asked: a learner's own lists no members, and removes none. */
  through: string;
  /** Who voted at the last look, on which the plan rests. */
  voters: string;
  /** Those that were well then. */
  well: readonly AskedMember[];
  /** Whom they followed. */
  leader: string;
  /** Who else left then. */
  leavers: string;
  /** Who did not take leadership over, the last one last: others are asked first. */
  readonly declined: Set<string>;
  /** What etcd answered to the last step, where it refused it. */
  refused: Reason | null;
}

/** Whether the time is over in which the machine, or its hook, lets it leave in order. */
export function isGraceOver(now: number, leaving: Leaving, memory: DepartureMemory): boolean {
  const orderedAt = leaving.orderedAt();
  if (orderedAt !== null) return now >= orderedAt + LEAVE_GRACE_MS;
  return !memory.hook.holds() && now >= memory.began + NOTICE_GRACE_MS;
}

/** Asks all that the next step is planned from, and remembers on whom it rests. */
export async function observeDeparture(
  context: Context,
  leaving: Leaving,
  memory: DepartureMemory,
  signal: AbortSignal,
): Promise<LeaveObservation> {
  const { ports, state } = context;
  const own = clientUrl(ports.self.address);
  const status = await ports.admin.status(own, signal);
  // What began as a restart may have become a departure since.
  if (leaving.departure().kind === 'going') memory.goingSince ??= ports.clock.now();
  const learns = status.known && status.value.learner;
  const seen = await lookThrough(context, status.known && !learns ? [own] : elsewhere(context), signal);
  memory.through = seen.known ? seen.value.through : own;
  const leavers = seen.known ? await readLeaving(context, 'going', seen.value.through, signal) : seen;
  const step = await ports.admin.read(own, UPGRADE_LOCK_KEY, { serializable: false }, signal);
  const leader = seen.known ? leaderOf(status, seen.value) : null;
  const others =
    seen.known && leader !== null ? await followersOf(context, seen.value, { status, leader }, signal) : [];
  const outOfDns = await isOutOfDns(context, own, signal);
  memory.voters = seen.known ? votersKey(seen.value.list) : '';
  memory.well = others;
  memory.leader = leader ?? '';
  memory.leavers = leavers.known ? keyOf(leavers.value) : '';
  const now = ports.clock.now();
  return {
    departure: leaving.departure(),
    status,
    list: seen.known ? known(seen.value.list) : seen,
    successors: successorsOf(context, others, leavers, memory.declined),
    healthyOthers: others.length,
    // Who leaves with the lower id goes first: all that leave see it so.
    leaveFirst: others.filter(
      (it) => !leavers.known || (leavers.value.has(it.name) && it.name < ports.self.id),
    ).length,
    // Data that nobody can name may be of a cluster that lived.
    formed: state.identity?.formed ?? true,
    announced: memory.announced === leaving.departure().kind,
    outOfDns: outOfDns || (memory.goingSince !== null && now >= memory.goingSince + LEAVE_DNS_MS),
    // Unknown is not nobody; but without a quorum nobody steps, nor beside an own etcd that is silent.
    stepElsewhere: step.known
      ? step.value !== null && step.value.value !== ports.self.id
      : status.known && seen.known,
    graceOver: isGraceOver(now, leaving, memory),
  };
}

/** Where the others are, as claim and last look name them: where the own etcd is silent, they say whether they serve without it. */
function elsewhere({ ports: { self }, state, register }: Context): readonly string[] {
  const claimed = register.standing()?.voters ?? [];
  const addresses = [...state.members.filter((it) => !it.learner), ...claimed].map((it) => it.address);
  return [...new Set(addresses)].filter((it) => it !== self.address).map(clientUrl);
}

/** Whom the own etcd follows; where that is silent, who says of itself that it leads; null: nobody is known. */
function leaderOf(own: Known<MemberStatus>, seen: Look): string | null {
  if (own.known) return own.value.leader;
  const leads = seen.members.filter(
    ({ id, unhealthy, status }) => unhealthy === null && status.known && status.value.leader === id,
  );
  return leads.toSorted((one, other) => termOf(other) - termOf(one))[0]?.id ?? null;
}

function termOf({ status }: MemberLook): number {
  return status.known ? status.value.raftTerm : 0;
}

/**
 * Healthy voters besides the own one that hear this leader, and are heard by it; most caught-up first. Where the own etcd
 * leads, that they hear it says nothing of whether they hear each other: that is seen once another leads.
 */
async function followersOf(
  { ports }: Context,
  seen: Look,
  { status: own, leader }: { readonly status: Known<MemberStatus>; readonly leader: string },
  signal: AbortSignal,
): Promise<readonly AskedMember[]> {
  // Where the own etcd does not answer, it is not among the healthy ones anyway.
  const ownId = own.known ? own.value.memberId : '';
  const well = withEndpoints(seen).filter((it) => it.unhealthy === null && it.id !== ownId);
  const whyNot = await Promise.all(well.map(async (it) => await whyNotFollowing(ports, it, leader, signal)));
  const index = ({ status }: MemberLook): number => (status.known ? status.value.raftAppliedIndex : 0);
  return well.filter((_, at) => whyNot[at] === null).sort((a, b) => index(b) - index(a));
}

/** Who may lead next: who stays before who leaves, too, but later, and who has not declined before who has. */
function successorsOf(
  { ports: { self } }: Context,
  others: readonly AskedMember[],
  leavers: Known<ReadonlySet<string>>,
  declined: ReadonlySet<string>,
): readonly string[] {
  const stays = ({ name }: AskedMember): boolean => !leavers.known || !leavers.value.has(name);
  const later = others.filter((it) => !stays(it) && it.name > self.id);
  const ids = [...others.filter(stays), ...later].map((it) => it.id);
  return [...ids.filter((it) => !declined.has(it)), ...[...declined].filter((it) => ids.includes(it))];
}

function votersKey({ members }: MemberList): string {
  return keyOf(votersOf(members).map((it) => it.id));
}

function keyOf(ids: Iterable<string>): string {
  return [...ids].sort().join();
}

/**
 * Whether who keeps house has heard the word, and names it no more. Who did not hear it may be about to name who has just come
 * back.
 */
async function isOutOfDns(
  { ports: { admin, self } }: Context,
  own: string,
  signal: AbortSignal,
): Promise<boolean> {
  const published = await readPublished(admin, own, signal);
  return published !== null && published.leaving.includes(self.id) && !published.named.includes(self.id);
}

/**
 * Law 5: whether those that were counted on are still there and follow the same leader; null: they do. Several may leave at once, and a look
 * takes as long as its slowest member, which may be a learner that has yet to serve.
 */
export async function whyNotAsSeen(
  { ports }: Context,
  memory: DepartureMemory,
  signal: AbortSignal,
): Promise<string | null> {
  const leavers = await readLeaving({ ports }, 'going', memory.through, signal);
  if (!leavers.known) return leavers.reason;
  if (keyOf(leavers.value) !== memory.leavers) return 'others leave than a moment ago';
  const whyNot = await Promise.all(
    memory.well.map(async (it) => {
      const status = await ports.admin.status(it.endpoint, signal);
      return await whyNotFollowing(ports, { ...it, status }, memory.leader, signal);
    }),
  );
  const why = whyNot.find((it) => it !== null);
  if (why !== undefined) return why;
  // Last: one of them may have removed itself since it was asked.
  const list = await ports.admin.memberList(memory.through, { linearizable: true }, signal);
  if (!list.known) return list.reason;
  return votersKey(list.value) === memory.voters ? null : 'the voters are others than a moment ago';
}
