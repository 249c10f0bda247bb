import { describe, test } from 'vitest';
import { awsLies, everyCallFails, namesCannotBeWritten } from '../e2e/outages.ts';

/* The outages of the end-to-end tests, in the length in which they come. */
describe.concurrent('a cluster that serves', () => {
  test('stands two minutes in which every AWS call fails', async (context) => {
    await everyCallFails(context, 120_000);
  });

  test('stands a minute in which Route 53 refuses, and an instance is replaced', async (context) => {
    await namesCannotBeWritten(context, 60_000);
  });

  test('stands a long lie of AWS', async (context) => {
    await awsLies(context, 6);
  });
});
