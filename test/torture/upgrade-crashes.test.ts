import { describe, test } from 'vitest';
import {
  bothCrash,
  CLEARING,
  DOWN,
  leaderCrashes,
  LOWERING,
  pointsOf,
  resumingCrashes,
  stepperCrashes,
  turned,
  WORK,
} from '../e2e/upgrade-crashes.ts';

const STEP = pointsOf(WORK.step);
const HAND_OVER = pointsOf(['MoveLeader']);
/* What begins and ends every work is in that of a step. Of eight writes that clear a log, one is enough. */
const CLEARS = pointsOf(WORK.clear, [4, 7, 13, 14, 15]);
const BRINGS = pointsOf(WORK.bringSnapshot, [3, 4, 5, 6]);
const GOES_DOWN = pointsOf(WORK.down, [3, 4, 5, 6, 10, 11, 12, 13, 14]);
const GOES_BACK = pointsOf(WORK.wayBack, [4, 5, 6, 7, 8, 9, 10]);
const STARTS_AND_RESUMES = ['start of etcd', ...WORK.resume];

describe.concurrent('the appliance that steps crashes', () => {
  test.for([...STEP, ...turned(STEP)])(
    '$when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await stepperCrashes(context, point, WORK.step);
    },
  );

  test.for([...HAND_OVER, ...turned(HAND_OVER)])(
    'as the leader: $when $step, its etcd with it: $withEtcd',
    async (point, context) => {
      await leaderCrashes(context, point);
    },
  );

  test.for(CLEARS)(
    'to 3.6, clearing its log: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await stepperCrashes(context, point, WORK.clear, CLEARING);
    },
  );

  test.for(BRINGS)(
    'to 3.7, for snapshots: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await stepperCrashes(context, point, WORK.bringSnapshot, LOWERING);
    },
  );

  test.for(GOES_DOWN)(
    'down to 3.5: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await stepperCrashes(context, point, WORK.down, DOWN);
    },
  );
});

describe.concurrent('the new etcd ends at its start, and the appliance crashes on the way back', () => {
  test.for(GOES_BACK)('of three: $when $step $nth', async (point, context) => {
    await bothCrash(context, 3, point);
  });

  test.for(pointsOf(WORK.wayBack, [4, 6]))('of one: $when $step $nth', async (point, context) => {
    await bothCrash(context, 1, point);
  });
});

describe.concurrent('who crashed in its step crashes again, as it goes on with it', () => {
  test.for(pointsOf(WORK.resume))('$when $step $nth, its etcd with it: $withEtcd', async (point, context) => {
    await resumingCrashes(context, point, WORK.resume, false);
  });

  test.for(pointsOf(STARTS_AND_RESUMES, [0, 1, 4]))(
    'whose etcd had died, too: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await resumingCrashes(context, point, STARTS_AND_RESUMES, true);
    },
  );
});
