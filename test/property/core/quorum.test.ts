import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTerminatedForCertain } from '../../../src/core/fleet.ts';
import { known } from '../../../src/core/known.ts';
import { quorumOf, votersOf } from '../../../src/core/members.ts';
import type { LeaveObservation } from '../../../src/core/plan-leave.ts';
import { planLeave } from '../../../src/core/plan-leave.ts';
import type { MembershipObservation } from '../../../src/core/plan-membership.ts';
import { planMembership } from '../../../src/core/plan-membership.ts';
import { evidences, fleets, knownOr, memberLists, NUMBERS } from '../../fixtures/core/arbitrary.ts';
import { DARK, idOf, listOf, memberIdOf, self, status } from '../../fixtures/core/world.ts';

const houses: fc.Arbitrary<MembershipObservation> = fc
  .tuple(
    memberLists,
    knownOr(fleets),
    evidences,
    fc.infiniteStream(fc.boolean()),
    fc.constantFrom(0, 29_000, 30_000, 59_000, 60_000),
  )
  .map(([members, fleet, evidence, coins, stalledMs]) => ({
    self: self(),
    fleet,
    evidence,
    members: members.map((member) => {
      const answers = coins.next().value === true;
      return {
        member,
        answers,
        healthy: answers && !member.learner && coins.next().value === true,
        stalledMs,
        joinLimitMs: 60_000,
      };
    }),
  }));

const departures: fc.Arbitrary<LeaveObservation> = memberLists.chain((members) =>
  fc
    .record({
      going: fc.boolean(),
      status: knownOr(
        fc.constantFrom(...NUMBERS.map((n) => memberIdOf(n)), null).map((leader) => status(1, { leader })),
      ),
      listKnown: fc.boolean(),
      healthy: fc.subarray(
        votersOf(members)
          .filter((it) => it.name !== idOf(1))
          .map((it) => it.id),
      ),
      leavers: fc.integer({ min: 0, max: 2 }),
      first: fc.integer({ min: 0, max: 2 }),
      formed: fc.boolean(),
      announced: fc.boolean(),
      outOfDns: fc.boolean(),
      stepElsewhere: fc.boolean(),
      graceOver: fc.boolean(),
    })
    .map(({ going, listKnown, healthy, leavers, first, ...rest }) => ({
      ...rest,
      departure: going ? { kind: 'going', why: 'w' } : { kind: 'restart', why: 'w' },
      list: listKnown ? known(listOf(members)) : DARK,
      healthyOthers: healthy.length,
      leaveFirst: Math.min(first, leavers, healthy.length),
      successors: healthy.slice(leavers),
    })),
);

describe('planMembership', () => {
  it('never removes a voter so that the healthy ones are no majority of the rest', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { action } = planMembership(seen);
        if (action === null) return;
        const rest = seen.members.filter((it) => !it.member.learner && it.member.id !== action.memberId);
        if (action.voter)
          expect(rest.filter((it) => it.healthy).length).toBeGreaterThanOrEqual(quorumOf(rest.length));
      }),
      { numRuns: 2_000 },
    );
  });

  it('never removes a voter that answers, itself, or one whose instance is not provably gone', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { action } = planMembership(seen);
        if (action === null || !action.voter) return;
        const view = seen.members.find((it) => it.member.id === action.memberId);
        expect(view?.answers).toBe(false);
        expect(action.instanceId).not.toBe(seen.self.id);
        const evidence = seen.evidence.get(action.instanceId);
        const unlisted =
          seen.fleet.known && seen.fleet.value.instances.every((it) => it.id !== action.instanceId);
        const stopped = evidence?.ec2.known === true && evidence.ec2.value === 'stopped' && unlisted;
        expect(evidence !== undefined && (isTerminatedForCertain(evidence) || stopped)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('removes no learner only because one answer lacks its instance', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { action } = planMembership(seen);
        if (action?.reason.code !== 'learner-of-nobody' || !seen.fleet.known) return;
        const view = seen.members.find((it) => it.member.id === action.memberId);
        const listed = seen.fleet.value.instances.some((it) => it.id === action.instanceId);
        expect(listed || (view?.answers === false && view.stalledMs >= 30_000)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('removes nobody on what AWS said where AWS said nothing', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const evidence = new Map(
          [...seen.evidence.keys()].map((id) => [
            id,
            { ec2: DARK, notFoundForMs: 9_999_999, unlistedForMs: 9_999_999 },
          ]),
        );
        const { action } = planMembership({ ...seen, fleet: DARK, evidence });
        // A stalled learner is no part of quorum, and is removed for what etcd says of it.
        expect(action === null || action.reason.code === 'learner-stalled').toBe(true);
      }),
    );
  });

  it('ends: done again and again it comes to rest', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        let members = seen.members;
        for (let ticks = 0; ticks <= seen.members.length; ticks += 1) {
          const { action } = planMembership({ ...seen, members });
          if (action === null) return;
          members = members.filter((it) => it.member.id !== action.memberId);
        }
        throw new Error('it removes without end');
      }),
    );
  });

  it('always says why: each tick has an action or a reason', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { action, held } = planMembership(seen);
        expect(action !== null || held.length > 0).toBe(true);
      }),
    );
  });
});

describe('planLeave', () => {
  it('never removes itself so that the healthy ones are no majority of the rest, nor as the only voter', () => {
    fc.assert(
      fc.property(departures, (seen) => {
        const action = planLeave(seen);
        if (action.kind !== 'remove-self') return;
        expect(seen.list.known).toBe(true);
        if (!seen.list.known) return;
        const own = seen.list.value.members.find((it) => it.id === action.memberId);
        expect(action.memberId).toBe(memberIdOf(1));
        if (own?.learner === true) return;
        const rest = votersOf(seen.list.value.members).filter((it) => it.id !== action.memberId);
        expect(rest.length).toBeGreaterThan(0);
        const first = seen.leaveFirst;
        expect(seen.healthyOthers - first).toBeGreaterThanOrEqual(quorumOf(rest.length - first));
      }),
      { numRuns: 2_000 },
    );
  });

  it('stops for good, in its grace, only what is no member or what the others can evict', () => {
    fc.assert(
      fc.property(departures, (seen) => {
        const action = planLeave(seen);
        if (action.kind !== 'stop' || seen.graceOver || seen.departure.kind === 'restart') return;
        if (!seen.formed && !seen.list.known) return;
        expect(seen.list.known).toBe(true);
        if (!seen.list.known) return;
        const { members } = seen.list.value;
        const still = members.some((it) => it.id === memberIdOf(1));
        if (still) expect(seen.healthyOthers).toBeGreaterThanOrEqual(quorumOf(votersOf(members).length));
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves DNS before it leaves the cluster, and leads no more where another can', () => {
    fc.assert(
      fc.property(departures, (seen) => {
        const action = planLeave(seen);
        if (action.kind !== 'remove-self' || !seen.list.known) return;
        if (seen.list.value.members.find((it) => it.id === action.memberId)?.learner === true) return;
        expect([seen.announced, seen.outOfDns]).toEqual([true, true]);
        const leads = seen.status.known && seen.status.value.leader === action.memberId;
        expect(leads && seen.successors.length > 0).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps quorum, whoever of many that leave at once acts on the same look, and in whatever order', () => {
    const fleets = fc.integer({ min: 2, max: 7 }).chain((size) => {
      const all = Array.from({ length: size }, (_, index) => index + 1);
      return fc.record({
        all: fc.constant(all),
        healthy: fc.subarray(all, { minLength: 1 }),
        leaving: fc.subarray(all, { minLength: 1 }),
        acts: fc.shuffledSubarray(all),
      });
    });
    fc.assert(
      fc.property(fleets, ({ all, healthy, leaving, acts }) => {
        let voters = all;
        let well = healthy;
        const plans = new Map(
          leaving
            .filter((it) => healthy.includes(it))
            .map((own) => {
              const others = healthy.filter((it) => it !== own);
              return [
                own,
                planLeave({
                  departure: { kind: 'going', why: 'w' },
                  status: known(status(own, { leader: null })),
                  list: known(listOf(all)),
                  successors: others.filter((it) => !leaving.includes(it)).map((it) => memberIdOf(it)),
                  healthyOthers: others.length,
                  leaveFirst: others.filter((it) => leaving.includes(it) && it < own).length,
                  formed: true,
                  announced: true,
                  outOfDns: true,
                  stepElsewhere: false,
                  graceOver: false,
                }),
              ];
            }),
        );
        const had = well.length >= quorumOf(voters.length);
        for (const own of acts.filter((it) => plans.get(it)?.kind === 'remove-self')) {
          voters = voters.filter((it) => it !== own);
          well = well.filter((it) => it !== own);
          expect(!had || well.length >= quorumOf(voters.length), `after ${own} left`).toBe(true);
          expect(voters.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps membership and data on a restart', () => {
    fc.assert(
      fc.property(departures, (seen) => {
        const action = planLeave({ ...seen, departure: { kind: 'restart', why: 'w' } });
        expect(['announce', 'hand-over', 'stop', 'wait']).toContain(action.kind);
        if (action.kind === 'announce') expect(action.as).toBe('restart');
        if (action.kind === 'wait') expect([seen.stepElsewhere, seen.graceOver]).toEqual([true, false]);
        // Another's step is never met without a word, unless there is nobody to give it to, or no time left.
        const mute = !seen.status.known || !seen.list.known || seen.graceOver;
        if (action.kind === 'stop') expect(seen.announced || mute).toBe(true);
      }),
    );
  });
});
