import { describe, test } from 'vitest';
import type { FaultKind } from '../../src/sandbox/model.ts';
import { LYING_FAULTS, SILENT_FAULTS } from '../fakes/fault-kinds.ts';
import { awsLies, everyCallFails, namesCannotBeWritten } from '../e2e/outages.ts';

/* The outages of the end-to-end tests, in the length in which they come. */
describe.concurrent('a cluster that serves', () => {
  test.for<FaultKind>([...SILENT_FAULTS, ...LYING_FAULTS])(
    'stands two minutes of AWS gone wrong in one way: %s',
    async (kind, context) => {
      await everyCallFails(context, [kind], 120_000);
    },
  );

  test('stands a minute in which Route 53 refuses, and an instance is replaced', async (context) => {
    await namesCannotBeWritten(context, 60_000);
  });

  test('stands a long lie of AWS', async (context) => {
    await awsLies(context, 6);
  });
});
