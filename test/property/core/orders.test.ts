import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lackingOf } from '../../../src/core/order-images.ts';
import { whyNoWay } from '../../../src/core/order-way.ts';
import { planUpgrade } from '../../../src/core/plan-upgrade.ts';
import { compareVersions, minorOf } from '../../../src/core/versions.ts';
import { IMAGE, NO_RECORD } from '../../fixtures/core/upgrade.ts';
import type { Machine, UpgradeWorld } from '../../fixtures/core/upgrade-model.ts';
import { lookOf, turn } from '../../fixtures/core/upgrade-model.ts';

const PATCHES = ['3.4.15', '3.5.2', '3.5.9', '3.5.30', '3.5.34', '3.6.3', '3.6.8', '3.7.1'];
const VERSIONS = [...IMAGE, ...PATCHES].toSorted(compareVersions);
const ORDERS = ['3.3', '3.4', '3.5', '3.6', '3.7', '3.8', '4.0', ...VERSIONS];
const MOST_TURNS = 300;

/** Members at rest, of one minor, or some of them one above, with all kinds of images and nothing else in the way. */
const worlds: fc.Arbitrary<UpgradeWorld> = fc
  .record({
    version: fc.constantFrom(...VERSIONS),
    above: fc.constantFrom(null, ...VERSIONS),
    images: fc.array(fc.subarray(VERSIONS, { minLength: 4 }), { minLength: 1, maxLength: 3 }),
  })
  .map(({ version, above, images }) => {
    const low = minorOf(version);
    const isNext = above !== null && Number(minorOf(above).slice(2)) === Number(low.slice(2)) + 1;
    const machines = images.map((image, index): Machine => {
      const runs = isNext && index > 0 ? above : version;
      const installed = [...new Set([...image, runs])];
      const wanted = minorOf(runs);
      return {
        n: index + 1,
        version: runs,
        installed,
        wanted,
        v2: 'clean',
        oldLog: false,
        storage: low,
        ill: false,
      };
    });
    return {
      machines,
      joiners: [],
      leader: 1,
      cluster: low,
      downgrade: null,
      record: NO_RECORD,
      orphanedForMs: 0,
      failing: null,
      dying: null,
    };
  });

function live(world: UpgradeWorld): UpgradeWorld {
  let state = world;
  for (let turns = 0; turns < MOST_TURNS; turns += 1) {
    const next = turn(state, 0);
    if (next === null) return state;
    state = next;
  }
  throw new Error('it never comes to rest');
}

/** Whether all run what was ordered, and nobody is to step any more. */
function isDone(world: UpgradeWorld, order: string): boolean {
  const run = world.machines.every(
    ({ version }) => (minorOf(order) === order ? minorOf(version) : version) === order,
  );
  const ends = world.machines.map((it) => planUpgrade(lookOf(world, it)).action.reason.code);
  return run && ends.every((it) => it === 'upgrade-done');
}

it('an order is carried out to its end just where there is a way, and the images have what it takes', () => {
  const ends = { done: 0, refused: 0 };
  fc.assert(
    fc.property(worlds, fc.constantFrom(...ORDERS), (world, order) => {
      const [first] = world.machines;
      const ordered = { ...world, record: { ...world.record, to: order } };
      if (first === undefined || isDone(ordered, order)) return;
      const seen = lookOf(world, first);
      const isTaken = whyNoWay(seen, order) === null && lackingOf(seen, order).length === 0;
      const rest = live(ordered);
      expect(isDone(rest, order)).toBe(isTaken);
      ends[isTaken ? 'done' : 'refused'] += 1;
    }),
    { numRuns: 500 },
  );
  // It says little where one of the two hardly happens. A share: where mutants are tried, there are fewer runs.
  expect(Math.min(ends.done, ends.refused)).toBeGreaterThan((ends.done + ends.refused) / 20);
});
