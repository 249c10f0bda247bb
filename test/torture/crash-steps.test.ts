import { describe, test } from 'vitest';
import { crashAt, STEPS, type Work } from '../e2e/crash-steps.ts';
import { DOOM_PRELOAD } from '../e2e/doom.ts';
import { fleetForFile } from '../e2e/harness.ts';

/*
 * One fleet of three, whose appliances crash between any two steps of a join, an eviction and a leave. With lifecycle hooks:
 * a leave ends only when the action is completed, after etcd has stopped.
 */
const fleet = fleetForFile({ size: 3, hooks: true, preload: DOOM_PRELOAD });

describe.each(Object.keys(STEPS) as Work[])('who has to %s', (work) => {
  test.for(
    STEPS[work].flatMap((step) =>
      (['before', 'after'] as const).flatMap((when) => [
        { step, when, withEtcd: false, how: 'alone' },
        { step, when, withEtcd: true, how: 'with its etcd' },
      ]),
    ),
  )('crashes $when $step, $how', async ({ step, when, withEtcd }) => {
    await crashAt(fleet(), work, { step, when, withEtcd });
  });
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify({ joinersBeginAgain: true });
});
