import { isStarted, votersOf } from '../../../src/core/members.ts';
import type { planLiveness } from '../../../src/core/liveness.ts';
import type { planLeave } from '../../../src/core/plan-leave.ts';
import type { planMember } from '../../../src/core/plan-member.ts';
import type { planStart } from '../../../src/core/plan-start.ts';
import { reason } from '../../../src/core/reason.ts';
import type { stepLimitMs } from '../../../src/core/upgrade-step.ts';
import { clientUrl } from '../../../src/core/urls.ts';
import type { whyNotFollowing } from '../../../src/daemon/follows.ts';
import type { keepHouse } from '../../../src/daemon/keep-house.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import type { Bug } from './bug.ts';
import { bugIn } from './planted.ts';
import { duringCut, together } from './when.ts';

/** Bugs against laws 2, 5 and 7: of one member, its data and its vote. */
export const MEMBER_BUGS: readonly Bug[] = [
  {
    name: 'what was to be set aside is deleted',
    law: 2,
    profile: 'scaling',
    ports: (ports) => ({ ...ports, data: { ...ports.data, setAside: deleting(ports) } }),
  },
  {
    name: 'data set aside are deleted for room that there is',
    law: 2,
    profile: 'scaling',
    // Who said that it leaves, and stays after all, finds itself removed.
    when: ({ incidents }) => incidents.filter((it) => it.kind === 'scale').length > 1,
    ports: (ports) => ({ ...ports, process: { ...ports.process, preflight: wantingRoom(ports) } }),
  },
  {
    name: 'that data are a voter’s is kept in memory only',
    law: 2,
    profile: 'scaling',
    ports: (ports) => ({
      ...ports,
      data: {
        ...ports.data,
        writeIdentity: async (identity, signal) => {
          const { identity: kept } = await ports.data.read(signal);
          const voter = kept?.memberId === identity.memberId ? kept.voter : identity.voter;
          await ports.data.writeIdentity({ ...identity, voter }, signal);
        },
      },
    }),
  },
  {
    name: 'data of a cluster that is silent are set aside',
    law: 2,
    profile: 'crash',
    when: together(['power-cut', 'kill'], ['power-cut', 'kill'], 3_000),
    stuck: true,
    source: bugIn<typeof planStart>('planStart', (original) => (seen) => {
      const action = original(seen);
      if (action.reason.code !== 'own-data-quorum-lost') return action;
      return { kind: 'set-aside', reason: reason('other-cluster', 'nobody answers') };
    }),
  },
  {
    name: 'whoever sees a learner promotes it',
    law: 5,
    profile: 'scaling',
    ports: (ports) => ({ ...ports, admin: { ...ports.admin, memberList: promoting(ports) } }),
  },
  {
    name: 'who keeps house promotes learners',
    law: 5,
    profile: 'scaling',
    source: bugIn<typeof keepHouse>('keepHouse', (original) => async (context, right, memory, signal) => {
      await promoting(context.ports)(clientUrl(context.ports.self.address), { linearizable: true }, signal);
      return await original(context, right, memory, signal);
    }),
  },
  {
    name: 'a learner that is far behind is promoted',
    law: 5,
    profile: 'scaling',
    when: together(['load'], ['lose', 'terminate', 'scale', 'refresh', 'spot'], 10_000),
    source: bugIn<typeof planMember>('planMember', (original) => (seen) => {
      const action = original(seen);
      const { status, list, leaderIndex } = seen;
      if (action.reason.code !== 'learner-behind' || !status.known || !list.known || !leaderIndex.known)
        return action;
      const { memberId } = status.value;
      const started = list.value.members.some((it) => it.id === memberId && isStarted(it));
      return started ? { kind: 'promote', memberId, reason: reason('promote', 'is a learner') } : action;
    }),
  },
  {
    name: 'who is cut off counts as healthy for who leaves',
    law: 5,
    profile: 'network',
    when: duringCut(['terminate', 'scale', 'refresh', 'spot'], 2_000),
    source: bugIn<typeof planLeave>('planLeave', (original) => (seen) => {
      const voters = seen.list.known ? votersOf(seen.list.value.members).length : 1;
      return original({ ...seen, healthyOthers: voters - 1 });
    }),
  },
  {
    name: 'who still names the last leader counts for who leaves',
    law: 5,
    profile: 'network',
    when: duringCut(['terminate', 'scale', 'refresh'], 2_000),
    source: bugIn<typeof whyNotFollowing>('whyNotFollowing', () => async () => await Promise.resolve(null)),
  },
  {
    name: 'etcd is stopped where Route 53 is silent',
    law: 7,
    profile: 'aws',
    source: bugIn<typeof planMember>(
      'planMember',
      (original) => (seen) =>
        seen.registerSilentMs > 0
          ? { kind: 'stop', reason: reason('claim-silent', 'the claim is silent') }
          : original(seen),
    ),
  },
  {
    name: 'etcd is started again where it has no quorum',
    law: 7,
    profile: 'network',
    source: bugIn<typeof planMember>('planMember', (original) => (seen) => {
      const action = original(seen);
      return action.reason.code === 'member-no-quorum' ? { kind: 'stop', reason: action.reason } : action;
    }),
  },
  {
    name: 'etcd is started again where it waits for a quorum',
    law: 7,
    profile: 'crash',
    when: (plot) =>
      plot.incidents.some((it) => it.kind === 'power-cut' && it.lastsMs > 35_000) &&
      together(['power-cut', 'kill'], ['power-cut'], 30_000)(plot),
    source: bugIn<typeof planLiveness>('planLiveness', (original) => (seen) => {
      const verdict = original(seen);
      return verdict.reason.code === 'alive-without-quorum' ? { ...verdict, kind: 'dead' } : verdict;
    }),
  },
  {
    name: 'etcd is started again where it starts for 5 s',
    law: 7,
    profile: 'crash',
    when: ({ database }) => database !== undefined,
    source: bugIn<typeof planLiveness>('planLiveness', (original) => (seen) => {
      const isLate = !seen.answeredOnce && seen.peersAnswered !== true && seen.silentMs >= 5_000;
      if (!isLate) return original(seen);
      const kind = seen.peersAnswered === null ? 'ask' : 'dead';
      return { kind, reason: reason('start-hangs', 'etcd has said nothing for 5 s') };
    }),
  },
  {
    name: 'etcd is started again where it defragments for 10 s',
    law: 7,
    profile: 'disk',
    when: ({ incidents }) => incidents.some((it) => it.kind === 'defragment' && it.lastsMs > 12_000),
    source: bugIn<typeof planLiveness>(
      'planLiveness',
      (original) => (seen) =>
        seen.defragments && seen.silentMs >= 10_000
          ? { kind: 'dead', reason: reason('liveness-failed', 'etcd has not answered for 10 s') }
          : original(seen),
    ),
  },
  {
    name: 'etcd is started again where it puts a snapshot in place for 30 s',
    law: 7,
    profile: 'mixed',
    when: ({ database }) => (database?.restoreMs ?? 0) > 40_000,
    source: bugIn<typeof planLiveness>(
      'planLiveness',
      (original) => (seen) => original({ ...seen, restores: false, idleMs: null }),
    ),
  },
  {
    name: 'a step has no time for the size of the database',
    law: 7,
    profile: 'upgrade',
    when: ({ database }) => (database?.startMs ?? 0) > 40_000,
    source: bugIn<typeof stepLimitMs>('stepLimitMs', () => () => 20_000),
  },
];

/** A disk on which anything was ever set aside is said to be short. */
function wantingRoom({ process, data }: Ports): Ports['process']['preflight'] {
  return async (version, address, signal) => {
    const obstacle = await process.preflight(version, address, signal);
    const { aside } = await data.read(signal);
    return obstacle === null && aside.length > 0 ? { kind: 'disk-short', why: 'there are data' } : obstacle;
  };
}

function promoting({ admin }: Ports): Ports['admin']['memberList'] {
  return async (endpoint, options, signal) => {
    const list = await admin.memberList(endpoint, options, signal);
    const learner = list.known ? list.value.members.find((it) => it.learner && isStarted(it)) : undefined;
    if (learner !== undefined) await admin.promote(endpoint, learner.id, signal);
    return list;
  };
}

function deleting({ data }: Ports): Ports['data']['setAside'] {
  return async (why, signal) => {
    const before = (await data.read(signal)).aside.map((it) => it.directory);
    await data.setAside(why, signal);
    const { aside } = await data.read(signal);
    for (const it of aside.filter((one) => !before.includes(one.directory)))
      await data.discard(it.directory, signal);
  };
}
