import { expect, test } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import { onSmallDisk } from '../e2e/disks.ts';
import { fleetForTest } from '../e2e/harness.ts';
import { memberIds } from '../e2e/members.ts';

/* Here, because a disk is mounted. In a fleet of three, the torture fills disks for longer. */

/** Enough for etcd's log, which it keeps in files of 64 MiB, two at a time. */
const DISK_MIB = 200;

test('the disk of the only member is full: that is said, and it is back when there is room', async (context) => {
  const fleet = await fleetForTest(context, { size: 1 });
  const { admin, view, whole, until, writesGoOn, verify } = fleet;
  await whole(1);
  const [only] = await view();
  const { instanceId = '', address = '' } = only ?? {};
  const endpoint = clientUrl(address);
  const members = await memberIds(fleet);
  {
    await using disk = await onSmallDisk(fleet, instanceId, DISK_MIB);
    await whole(1);
    await disk.fill();
    await until('the full disk is said', async () => {
      // What its database has in advance takes no room yet, and is what it misses.
      await admin.put(endpoint, 'much', 'x'.repeat(1 << 20), {}, new AbortController().signal);
      const status = await (await fetch(`http://${address}:2378/status`)).text();
      // The last words of etcd, or the appliance's where these found no room either.
      return /the disk of \S+ is full|no space left on device/.test(status) ? [] : [status];
    });
    await disk.clear();
    await whole(1);
    await writesGoOn();
    // A full disk is no damage: the data are the same, and so is the member.
    expect(await memberIds(fleet)).toEqual(members);
    await verify();
  }
});
