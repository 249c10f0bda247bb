import { describe, test } from 'vitest';
import { appliancesCrash, type FaultPoint } from '../e2e/upgrade-faults.ts';

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

describe.concurrent('the appliance that steps crashes', () => {
  test.for(POINTS)('$when $step $nth of a $role, its etcd with it: $withEtcd', async (point, context) => {
    await appliancesCrash(context, point);
  });
});
