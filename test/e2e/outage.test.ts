import { describe, test } from 'vitest';
import { awsLies, everyCallFails, namesCannotBeWritten, type Outage } from './outages.ts';

const OUTAGE_MS = 20_000;

describe.concurrent('a cluster that serves', () => {
  test('heals its etcds while every AWS call fails, and keeps its members and names', async (context) => {
    const outages: readonly Outage[] = [
      { kind: 'error', killed: ['follower'] },
      { kind: 'hang', killed: ['leader'] },
      { kind: 'malformed', killed: ['follower'] },
      { kind: 'stale', killed: ['leader'] },
    ];
    await everyCallFails(context, 3, outages, 0);
  });

  test('loses an instance while Route 53 refuses, and is named right when it takes calls again', async (context) => {
    await namesCannotBeWritten(context, 3, OUTAGE_MS);
  });

  test('keeps a silent member, and its names, while AWS shows nothing, half, or only the asker', async (context) => {
    await awsLies(context, 3, 3);
  });
});
