import { test } from 'vitest';
import { crashAt } from './crash-steps.ts';
import { crashes } from './crashes.ts';
import { DOOM_PRELOAD } from './doom.ts';
import { fleetForFile } from './harness.ts';

/* One fleet of three lives through all of these, in this order. */
const fleet = fleetForFile({ size: 3, preload: DOOM_PRELOAD });

crashes(fleet, 3);

// Every step of each of the three works has its crashes in the torture.
test('a joiner crashes with its etcd before it is promoted', async () => {
  await crashAt(fleet(), 'join', { step: 'MemberPromote', when: 'before', withEtcd: true });
});

test('who evicts crashes when the member is removed, and the claim does not say so yet', async () => {
  await crashAt(fleet(), 'evict', { step: 'MemberRemove', when: 'after', withEtcd: false });
});

test('who leaves crashes with its etcd when leadership is handed over', async () => {
  await crashAt(fleet(), 'leave', { step: 'MoveLeader', when: 'after', withEtcd: true });
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify();
});
