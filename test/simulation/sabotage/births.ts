import type { birthVersion } from '../../../src/core/birth-version.ts';
import type { foundingClaim } from '../../../src/core/claim.ts';
import type { planFounding } from '../../../src/core/plan-founding.ts';
import type { planJoin } from '../../../src/core/plan-join.ts';
import { known } from '../../../src/core/known.ts';
import type { planForming } from '../../../src/core/plan-birth.ts';
import { planClaim } from '../../../src/core/plan-birth.ts';
import type { quorumOf } from '../../../src/core/members.ts';
import { reason } from '../../../src/core/reason.ts';
import type { StartObservation } from '../../../src/core/start.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import type { Bug } from './bug.ts';
import { bugIn } from './planted.ts';
import { duringBirth, together } from './when.ts';

/** Bugs against laws 1, 3, 5 and 10: of births, and of what is remembered of them. */
export const BIRTH_BUGS: readonly Bug[] = [
  {
    name: 'who is not among the founders founds as well',
    law: 1,
    profile: 'birth',
    when: duringBirth(['lose', 'terminate', 'scale']),
    source: bugIn<typeof planForming>('planForming', (original) => (seen, records, standing) => {
      const action = original(seen, records, standing);
      if (action.reason.code !== 'forming-wait') return action;
      const mark = { token: standing.claim.token, nonce: seen.freshNonce, started: true };
      return { kind: 'found', claim: standing.claim, mark, reason: reason('found', 'founds as well') };
    }),
  },
  {
    name: 'each founder starts the etcd that it is configured for',
    law: 5,
    profile: 'birth',
    when: duringBirth(['configure']),
    source: bugIn<typeof birthVersion>('birthVersion', () => () => ({ kind: 'chosen', minor: null })),
  },
  {
    name: 'every birth has the same token',
    law: 1,
    profile: 'birth',
    when: duringBirth(['lose', 'wipe', 'unmount']),
    source: bugIn<typeof foundingClaim>('foundingClaim', (original) => (birth) => ({
      ...original(birth),
      token: 'token',
    })),
  },
  {
    name: 'a formed cluster that is silent is born over',
    law: 1,
    profile: 'disk',
    when: together(['wipe', 'lose', 'damage'], ['power-cut', 'kill', 'lose', 'wipe'], 4_000),
    source: bugIn<typeof planJoin>('planJoin', (original) => (seen, records, standing) => {
      const action = original(seen, records, standing);
      if (action.reason.code !== 'quorum-lost' || seen.fleet?.known !== true) return action;
      return planClaim({ ...seen, births: nobodyHolds(seen) }, seen.fleet.value, records, standing);
    }),
  },
  {
    name: 'one is a majority',
    law: 1,
    shows: [5],
    profile: 'birth',
    // Founders that are too few have waited first, and in vain, for those that do not come or are not reached.
    when: (plot) =>
      plot.desired > 1 &&
      plot.bootstrapWaitMs <= 15_000 &&
      duringBirth(['power-cut', 'lose', 'zone', 'partition'])(plot),
    source: bugIn<typeof quorumOf>('quorumOf', () => () => 1),
  },
  {
    name: 'a founder whose data are lost founds again',
    law: 3,
    shows: [1],
    profile: 'birth',
    when: duringBirth(['wipe']),
    source: bugIn<typeof planFounding>('planFounding', (original) => (seen, records, standing, code) => {
      const action = original(seen, records, standing, code);
      if (action.reason.code !== 'data-lost') return action;
      const mark = { token: standing.claim.token, nonce: seen.freshNonce, started: true };
      return { kind: 'found', claim: standing.claim, mark, reason: reason(code, 'founds again') };
    }),
  },
  {
    name: 'a member that lost its data comes back under its old id',
    law: 3,
    profile: 'disk',
    source: bugIn<typeof planJoin>('planJoin', (original) => (seen, records, standing) => {
      const action = original(seen, records, standing);
      if (action.kind !== 'remove-own') return action;
      const { endpoint } = action;
      return { kind: 'join', endpoint, claim: standing.claim, reason: reason('join', 'is in the list') };
    }),
    ports: (ports) => ({ ...ports, admin: { ...ports.admin, addLearner: takingTheOldId(ports) } }),
  },
  {
    name: 'that etcd was started under a mark is kept in memory only',
    law: 10,
    shows: [1, 3],
    profile: 'birth',
    when: duringBirth(['wipe']),
    ports: (ports) => ({
      ...ports,
      data: {
        ...ports.data,
        writeMark: async (mark, signal) =>
          await ports.data.writeMark(mark === null ? null : { ...mark, started: false }, signal),
      },
    }),
  },
  {
    name: 'whose the data are is kept in memory only',
    law: 10,
    profile: 'crash',
    ports: (ports) => ({ ...ports, data: forgetting(ports) }),
    stuck: true,
  },
];

/** What is asked of each instance, answered for it: it holds nothing. */
function nobodyHolds({ fleet, self }: StartObservation): NonNullable<StartObservation['births']> {
  const ids = fleet?.known === true ? fleet.value.instances.map((it) => it.id) : [];
  const nothing = { stack: self.stack, data: null, aside: [], mark: null, nonce: null, etcd: null, epoch: 0 };
  return new Map(ids.map((instanceId) => [instanceId, known({ ...nothing, instanceId })]));
}

/** Where the own address is a member's already, that member is taken for the one that was to be added. */
function takingTheOldId({ admin, self }: Ports): Ports['admin']['addLearner'] {
  return async (endpoint, peerUrl, signal) => {
    const added = await admin.addLearner(endpoint, peerUrl, signal);
    if (added.ok || added.code !== 'peer-url-exists') return added;
    const list = await admin.memberList(endpoint, { linearizable: true }, signal);
    const own = list.known ? list.value.members.find((it) => it.name === self.id) : undefined;
    if (!list.known || own === undefined) return added;
    return { ok: true, value: { memberId: own.id, list: list.value } };
  };
}

function forgetting({ data }: Ports): Ports['data'] {
  let identity: Parameters<Ports['data']['writeIdentity']>[0] | null = null;
  return {
    ...data,
    writeIdentity: async (next) => {
      identity = next;
    },
    read: async (signal) => ({ ...(await data.read(signal)), identity }),
  };
}
