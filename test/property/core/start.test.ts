import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClaimReading } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import { readMark } from '../../../src/core/mark.ts';
import { markName, namesOf } from '../../../src/core/names.ts';
import { planStart } from '../../../src/core/plan-start.ts';
import type { RecordChange } from '../../../src/core/records.ts';
import type { StartAction, StartObservation } from '../../../src/core/start.ts';
import { starts } from '../../fixtures/core/arbitrary-start.ts';
import { applyBatch } from '../../fixtures/core/dns.ts';
import { CLUSTER, DARK, idOf } from '../../fixtures/core/world.ts';

const NAME = namesOf(CLUSTER).claim;
const RUNS = { numRuns: 1_000 };

function standing(seen: StartObservation): ClaimReading {
  return seen.zone.known ? readClaim(NAME, seen.zone.value) : { kind: 'none' };
}

/** The zone after a plan's batch. */
function after(seen: StartObservation, changes: readonly RecordChange[]): ClaimReading {
  const records = seen.zone.known ? applyBatch(seen.zone.value, changes) : null;
  if (records === null) throw new Error('Route 53 would refuse the batch');
  return readClaim(NAME, records);
}

/** Whether a plan gives the name to another epoch than the one that stands. */
function bearsAnew(seen: StartObservation, action: StartAction): boolean {
  if (action.kind !== 'register') return false;
  const [before, then] = [standing(seen), after(seen, action.changes)];
  if (then.kind !== 'claim') return true;
  return before.kind !== 'claim' || before.claim.token !== then.claim.token;
}

describe('planStart, whatever it sees', () => {
  it('never asks for a fact that it has, and never throws', () => {
    fc.assert(
      fc.property(starts, (seen) => planStart(seen).kind !== 'ask'),
      RUNS,
    );
  });

  it('neither changes the register nor founds, joins, removes or moves own data while the claim is unknown', () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const action = planStart({ ...seen, zone: DARK });
        const anothers = seen.local.identity !== null && seen.local.identity.instanceId !== seen.self.id;
        // Data set aside that nobody needs, where the last start found no room for these.
        const { endedFull, room } = seen;
        const isShort = endedFull && room?.known === true && room.value.freeBytes === 0;
        const starts = isShort ? ['start-data', 'discard', 'wait'] : ['start-data', 'wait'];
        expect(anothers ? ['set-aside', 'wait'] : starts).toContain(action.kind);
      }),
      RUNS,
    );
  });

  it('neither claims, adopts, joins nor removes while the fleet is unknown', () => {
    fc.assert(
      fc.property(starts, (observed) => {
        const seen = { ...observed, fleet: DARK };
        const action = planStart(seen);
        expect(['join', 'remove-own']).not.toContain(action.kind);
        expect(bearsAnew(seen, action)).toBe(false);
      }),
      RUNS,
    );
  });

  it('makes batches that are compare-and-swaps of the claim and of the own mark, and of nothing else', () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const action = planStart(seen);
        if (action.kind !== 'register') return;
        const created = action.changes.filter((it) => it.action === 'CREATE').map((it) => it.record.name);
        for (const change of action.changes) {
          expect([NAME, markName(CLUSTER, seen.self.id)]).toContain(change.record.name);
          if (change.action === 'DELETE') {
            expect(seen.zone.known ? seen.zone.value : []).toContainEqual(change.record);
            // Never a DELETE without a CREATE of the same set.
            expect(created).toContain(change.record.name);
          }
        }
        expect(after(seen, action.changes).kind).toBe('claim');
      }),
      RUNS,
    );
  });

  it('never gives birth over a claim that cannot be read, is of another stack, reseeding, or of the own living groups', () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const action = planStart(seen);
        const before = standing(seen);
        if (before.kind === 'unreadable') expect(action.kind).not.toBe('register');
        if (before.kind !== 'claim' || !bearsAnew(seen, action)) return;
        expect(before.claim.stack).toBe(seen.self.stack);
        expect(before.claim.state).not.toBe('reseeding');
        if (before.claim.state === 'formed') {
          const groups = seen.fleet?.known === true ? seen.fleet.value.groups.map((it) => it.arn) : [];
          expect(before.claim.groups.filter((it) => groups.includes(it))).toEqual([]);
          expect(before.claim.voters.length).toBeGreaterThan(0);
        } else {
          expect(before.claim.lived).toBe(false);
        }
        const then = after(seen, action.kind === 'register' ? action.changes : []);
        expect(then.kind === 'claim' ? then.claim.epoch : 0).toBe(before.claim.epoch + 1);
      }),
      RUNS,
    );
  });

  it('founds only as a founder that is not lost, on a mark of its own that it did not act on yet', () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const action = planStart(seen);
        if (action.kind !== 'found') return;
        const mark = readMark(CLUSTER, seen.self.id, seen.zone.known ? seen.zone.value : [])?.mark;
        expect(mark).toEqual({
          instanceId: idOf(1),
          token: action.claim.token,
          nonce: seen.local.mark?.nonce,
        });
        expect(seen.local.mark?.started).toBe(false);
        expect(action.mark).toEqual({ token: action.claim.token, nonce: mark?.nonce, started: true });
        expect(seen.local.present).toBe(false);
        expect(action.claim.lost).not.toContain(seen.self.id);
        expect(action.claim.founders.map((it) => it.instanceId)).toContain(seen.self.id);
      }),
      RUNS,
    );
  });

  it("never starts another instance's data", () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const owner = seen.local.identity?.instanceId;
        if (planStart(seen).kind === 'start-data') expect(owner).toBe(seen.self.id);
      }),
      RUNS,
    );
  });

  it('sets data of a formed epoch aside only when another cluster lives, or the own one answers without it', () => {
    fc.assert(
      fc.property(starts, (seen) => {
        const action = planStart(seen);
        const { identity } = seen.local;
        if (action.kind !== 'set-aside' || identity?.instanceId !== seen.self.id || !identity.formed) return;
        const claim = standing(seen);
        const other =
          claim.kind === 'claim' &&
          claim.claim.state === 'formed' &&
          claim.claim.clusterId !== identity.clusterId;
        const own = seen.quorum?.kind === 'answers' && seen.quorum.list.clusterId === identity.clusterId;
        expect(other || own).toBe(true);
      }),
      RUNS,
    );
  });
});
