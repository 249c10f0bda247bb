import { describe, test, vi } from 'vitest';
import type { FaultKind } from '../../src/sandbox/model.ts';
import { LYING_FAULTS, SILENT_FAULTS } from '../fakes/fault-kinds.ts';
import { awsLies, everyCallFails, namesCannotBeWritten } from '../e2e/outages.ts';

/** Of five, the ways that differ most: all of them would take too long. */
const KINDS: Readonly<Record<3 | 5, readonly FaultKind[]>> = {
  3: [...SILENT_FAULTS, ...LYING_FAULTS],
  5: ['error', 'hang', 'stale', 'empty'],
};

// Fleets that wait, two minutes each, far longer than they work: more of them at a time than elsewhere.
vi.setConfig({ maxConcurrency: 4 });

/* The outages of the end-to-end tests, in the length in which they come. */
describe.concurrent.each([3, 5] as const)('a cluster of %i that serves', (size) => {
  test.for(KINDS[size])('stands two minutes of AWS gone wrong in one way: %s', async (kind, context) => {
    await everyCallFails(context, size, [{ kind, killed: ['follower', 'leader'] }], 120_000);
  });

  test('stands a minute in which Route 53 refuses, and an instance is replaced', async (context) => {
    await namesCannotBeWritten(context, size, 60_000);
  });

  test('stands a long lie of AWS', async (context) => {
    await awsLies(context, size, 6);
  });
});
