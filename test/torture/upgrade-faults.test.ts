import { describe, test } from 'vitest';
import { DOWN } from '../e2e/upgrade-crashes.ts';
import { oldEtcdCrashes, replacedWhileDown } from '../e2e/upgrade-down.ts';
import {
  anotherDies,
  awsIsAway,
  binaryIsLost,
  newEtcdCrashes,
  noWayBack,
  oneImageLacks,
  steppingEnds,
  twoOrder,
} from '../e2e/upgrade-faults.ts';
import { notExecutable } from '../e2e/upgrade-images.ts';

describe.concurrent('in the middle of an upgrade', () => {
  test.for(['terminateInstance', 'powerCut'] as const)('who steps ends by %s', async (end, context) => {
    await steppingEnds(context, end);
  });

  test.for([3, 5])('of %i, another dies', async (size, context) => {
    await anotherDies(context, size);
  });

  test.for(['resumed', 'replaced'] as const)(
    'the new etcd ends at its start: taken back, until it is %s',
    async (then, context) => {
      await newEtcdCrashes(context, then);
    },
  );

  test('the new etcd ends at its start, when the old one is refused already', async (context) => {
    await noWayBack(context);
  });

  test('one image has no such etcd', async (context) => {
    await oneImageLacks(context, async (fleet) => await fleet.image(['3.4']));
  });

  test('one image has such an etcd that nobody may execute', async (context) => {
    await oneImageLacks(context, async (fleet) => await fleet.image(['3.4', await notExecutable('3.5')]));
  });

  test('the new etcd is lost', async (context) => {
    await binaryIsLost(context);
  });

  test.for(['error', 'hang'] as const)('AWS is away: %s', async (kind, context) => {
    await awsIsAway(context, kind);
  });

  test('two operators order different versions', async (context) => {
    await twoOrder(context);
  });
});

describe.concurrent('in the middle of a downgrade', () => {
  test.for(['terminateInstance', 'powerCut'] as const)('who steps ends by %s', async (end, context) => {
    await steppingEnds(context, end, DOWN);
  });

  test.for([
    { moment: 'lowered', end: 'terminateInstance' },
    { moment: 'lowered', end: 'powerCut' },
    { moment: 'stepped', end: 'terminateInstance' },
    { moment: 'stepped', end: 'powerCut' },
  ] as const)('$moment, another ends by $end, and is replaced', async ({ moment, end }, context) => {
    await replacedWhileDown(context, moment, end);
  });

  test('the old etcd ends at its start', async (context) => {
    await oldEtcdCrashes(context);
  });
});
