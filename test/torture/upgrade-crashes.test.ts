import { describe, test } from 'vitest';
import {
  appliancesCrash,
  CLEARING,
  type FaultPoint,
  holderFreezes,
  LOWERING,
} from '../e2e/upgrade-faults.ts';

const ALONE = { withEtcd: false } as const;
const WITH_ETCD = { withEtcd: true } as const;

/* A step, call by call: the lock, its record, the leadership, the names, etcd, the names, the record, the lock. */
const POINTS: readonly FaultPoint[] = [
  { role: 'follower', step: 'LeaseGrant', nth: 1, when: 'after', ...ALONE },
  { role: 'follower', step: 'Txn', nth: 1, when: 'after', ...ALONE },
  { role: 'follower', step: 'Txn', nth: 2, when: 'after', ...WITH_ETCD },
  { role: 'follower', step: 'ChangeResourceRecordSets', nth: 1, when: 'before', ...ALONE },
  { role: 'follower', step: 'ChangeResourceRecordSets', nth: 1, when: 'after', ...ALONE },
  { role: 'follower', step: 'start of etcd', nth: 1, when: 'before', ...ALONE },
  { role: 'follower', step: 'start of etcd', nth: 1, when: 'after', ...ALONE },
  { role: 'follower', step: 'start of etcd', nth: 1, when: 'after', ...WITH_ETCD },
  { role: 'follower', step: 'ChangeResourceRecordSets', nth: 2, when: 'before', ...ALONE },
  { role: 'follower', step: 'ChangeResourceRecordSets', nth: 2, when: 'after', ...WITH_ETCD },
  { role: 'follower', step: 'Txn', nth: 3, when: 'before', ...ALONE },
  { role: 'follower', step: 'LeaseRevoke', nth: 1, when: 'before', ...ALONE },
  { role: 'leader', step: 'MoveLeader', nth: 1, when: 'before', ...ALONE },
  { role: 'leader', step: 'MoveLeader', nth: 1, when: 'after', ...ALONE },
  { role: 'leader', step: 'MoveLeader', nth: 1, when: 'after', ...WITH_ETCD },
];

/* Before 3.6 each member starts twice on its own version, to clear its log, and steps with its third start. */
const CLEARS: readonly FaultPoint[] = [
  { role: 'member', step: 'start of etcd', nth: 1, when: 'before', ...ALONE },
  { role: 'member', step: 'start of etcd', nth: 1, when: 'after', ...ALONE },
  { role: 'member', step: 'start of etcd', nth: 1, when: 'after', ...WITH_ETCD },
  { role: 'member', step: 'Txn', nth: 6, when: 'after', ...ALONE },
  { role: 'member', step: 'start of etcd', nth: 2, when: 'before', ...ALONE },
  { role: 'member', step: 'start of etcd', nth: 2, when: 'after', ...ALONE },
];

/* Before 3.7 one asks whether etcd may go down, tells it to, and, when all have their snapshots, that it need not. */
const LOWERS: readonly FaultPoint[] = [
  { role: 'member', step: 'Downgrade', nth: 1, when: 'after', ...ALONE },
  { role: 'member', step: 'Downgrade', nth: 2, when: 'before', ...ALONE },
  { role: 'member', step: 'Downgrade', nth: 2, when: 'after', ...ALONE },
  { role: 'member', step: 'Downgrade', nth: 3, when: 'before', ...WITH_ETCD },
  { role: 'member', step: 'Downgrade', nth: 3, when: 'after', ...ALONE },
];

describe.concurrent('the appliance that steps crashes', () => {
  test.for(POINTS)('$when $step $nth of a $role, its etcd with it: $withEtcd', async (point, context) => {
    await appliancesCrash(context, point);
  });

  test.for(CLEARS)(
    'to 3.6, clearing its log: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await appliancesCrash(context, point, CLEARING);
    },
  );

  test.for(LOWERS)(
    'to 3.7, for snapshots: $when $step $nth, its etcd with it: $withEtcd',
    async (point, context) => {
      await appliancesCrash(context, point, LOWERING);
    },
  );
});

describe.concurrent(
  'the appliance that steps is frozen, loses its lock, and does nothing more under it',
  () => {
    test.for(['clearing', 'lowering'] as const)('%s', async (moment, context) => {
      await holderFreezes(context, moment);
    });
  },
);
