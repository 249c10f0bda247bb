import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import type { Ec2Evidence } from '../../../src/core/fleet.ts';
import { known } from '../../../src/core/known.ts';
import type { Member } from '../../../src/core/members.ts';
import { quorumOf, votersOf } from '../../../src/core/members.ts';
import { namesOf } from '../../../src/core/names.ts';
import { planClaimUpkeep } from '../../../src/core/plan-claim.ts';
import { planDns } from '../../../src/core/plan-dns.ts';
import { planMembership } from '../../../src/core/plan-membership.ts';
import type { RecordChange, RecordSet } from '../../../src/core/records.ts';
import { NUMBERS } from '../../fixtures/core/arbitrary.ts';
import { applyBatch, clientSets, hostSet, serverSet } from '../../fixtures/core/dns.ts';
import {
  CLUSTER,
  evidenceOf,
  fleet,
  formed,
  founder,
  idOf,
  listOf,
  markOf,
  member,
  recordOf,
  self,
  STACK,
  voter,
} from '../../fixtures/core/world.ts';

/** A house in any disorder: some are gone for good, some learn, and the records are of another time. */
interface House {
  readonly members: readonly Member[];
  readonly gone: readonly number[];
  readonly records: readonly RecordSet[];
}

const houses: fc.Arbitrary<House> = fc
  .record({
    members: fc.subarray([...NUMBERS], { minLength: 3 }),
    learners: fc.subarray([...NUMBERS], { maxLength: 1 }),
    gone: fc.subarray([...NUMBERS], { maxLength: 2 }),
    claimed: fc.subarray([...NUMBERS]),
    founders: fc.subarray([...NUMBERS]),
    named: fc.subarray([...NUMBERS], { minLength: 1 }),
    marked: fc.subarray([...NUMBERS]),
    claimStands: fc.boolean(),
  })
  .map(({ members, learners, gone, claimed, founders, named, marked, claimStands }) => ({
    members: members.map((n) => member(n, { learner: n !== 1 && learners.includes(n) })),
    gone: gone.filter((n) => n !== 1),
    records: [
      ...(claimStands ? [recordOf(claimOf(claimed, founders))] : []),
      ...clientSets(...named),
      serverSet(...named),
      ...named.map(hostSet),
      ...marked.map((n) => markOf(n)),
    ],
  }));

function claimOf(claimed: readonly number[], founders: readonly number[]): Claim {
  return formed({ voters: claimed.map((n) => voter(n)), founders: founders.map(founder) });
}

type Act = (house: House) => House;

/** What i-1 would do in one tick, in order: the removal, then the records, each something that a crash may prevent. */
function tick(house: House): readonly Act[] {
  const gone = new Set(house.gone.map(idOf));
  const answers = (it: Member): boolean => !gone.has(it.name);
  const evidence = evidenceOf(
    ...NUMBERS.map((n) => [n, (gone.has(idOf(n)) ? 'terminated' : 'running') as Ec2Evidence] as const),
  );
  const alive = known(fleet(NUMBERS.filter((n) => !gone.has(idOf(n)))));
  const { action } = planMembership({
    self: self(),
    fleet: alive,
    evidence,
    members: house.members.map((it) => ({
      member: it,
      answers: answers(it),
      healthy: answers(it) && !it.learner,
      stalledMs: 0,
      joinLimitMs: 60_000,
    })),
  });
  if (action !== null) {
    return [(it) => ({ ...it, members: it.members.filter((one) => one.id !== action.memberId) })];
  }
  const claim = planClaimUpkeep({
    stack: STACK,
    cluster: CLUSTER,
    reading: readClaim(namesOf(CLUSTER).claim, house.records),
    records: house.records,
    list: listOf(house.members),
    fleet: alive,
    fleetNow: alive,
    evidence,
    freshToken: 'fresh-token',
  });
  const dns = planDns({
    cluster: CLUSTER,
    records: house.records,
    members: house.members,
    healthy: new Set(house.members.filter((it) => answers(it) && !it.learner).map((it) => it.id)),
    doubtful: new Set(),
    leaving: new Set(),
    fleetKnown: true,
  });
  return [claim.changes, dns.changes].filter((it) => it.length > 0).map((changes) => batch(changes));
}

function batch(changes: readonly RecordChange[]): Act {
  return (house) => {
    const records = applyBatch(house.records, changes);
    if (records === null) throw new Error('Route 53 would refuse the batch');
    return { ...house, records };
  };
}

/** Ticks until nothing is left to do. `crashAt`: after so many acts in all, the rest of that tick is lost. */
function keepHouse(
  house: House,
  crashAt = Number.POSITIVE_INFINITY,
): { readonly house: House; readonly acts: number } {
  let state = house;
  let acts = 0;
  for (let ticks = 0; ticks < 30; ticks += 1) {
    const plan = tick(state);
    if (plan.length === 0) return { house: state, acts };
    for (const act of plan) {
      if (acts === crashAt) {
        acts += 1;
        break;
      }
      state = act(state);
      acts += 1;
    }
  }
  throw new Error('it never comes to rest');
}

/** Order does not matter to Route 53. */
function shown(house: House): unknown {
  return [house.members, [...house.records].sort((a, b) => (a.name + a.type < b.name + b.type ? -1 : 1))];
}

describe('housekeeping', () => {
  it('comes to rest, and to the same rest from every interruption', () => {
    fc.assert(
      fc.property(houses, (house) => {
        const whole = keepHouse(house);
        expect(tick(whole.house)).toEqual([]);
        for (let crashAt = 0; crashAt < whole.acts; crashAt += 1) {
          expect(shown(keepHouse(house, crashAt).house)).toEqual(shown(whole.house));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('ends with a claim that lists every voter, and no mark of who is gone', () => {
    fc.assert(
      fc.property(houses, (house) => {
        const end = keepHouse(house).house;
        const reading = readClaim(namesOf(CLUSTER).claim, end.records);
        const listed = reading.kind === 'claim' ? reading.claim.voters.map((it) => it.memberId) : [];
        for (const it of votersOf(end.members)) expect(listed).toContain(it.id);
        if (!house.records.some((it) => it.name === namesOf(CLUSTER).claim)) return;
        for (const n of house.gone) expect(end.records).not.toContainEqual(markOf(n));
      }),
      { numRuns: 300 },
    );
  });

  it('ends without the members that are gone, unless too few would be left', () => {
    fc.assert(
      fc.property(houses, (house) => {
        const end = keepHouse(house).house;
        const gone = new Set(house.gone.map(idOf));
        const voters = votersOf(end.members);
        const dead = voters.filter((it) => gone.has(it.name)).length;
        const short = voters.length - dead < quorumOf(voters.length - 1);
        expect(dead === 0 || short).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
