import { execFile } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createAdmin } from '../../src/etcd/admin.ts';
import { cutOffLastRecord } from '../e2e/damage.ts';
import { fill } from '../e2e/disks.ts';
import { calm, endOf, labMember, must, untilServing } from '../etcd-lab.ts';

/* Here, because a disk is mounted. */

const run = promisify(execFile);

/** Enough for etcd's log and one in advance, of 64 MiB each, and a copy of what there is of the first. */
const DISK_MIB = 200;

test.concurrent.for(['3.4', '3.5', '3.6', '3.7'])(
  'a log of etcd %s whose last record is cut off is no damage where there is no room to repair it',
  async (minor) => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor));
    // What etcd says has room, as it had where this was seen: else nobody hears of it.
    const data = join(member.directory, 'etcd');
    await mkdir(data, { mode: 0o700 });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=700`, 'tmpfs', data]);
    stack.defer(async () => void (await run('umount', ['--lazy', data])));
    const first = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    expect(must(await admin.put(member.endpoint, 'key', 'value', {}, calm))).toBe(true);
    await first.stop(10_000);
    const log = join(data, 'member/wal');
    await cutOffLastRecord(log);
    // What etcd keeps in advance it gives up at its next start: that would be room.
    for (const name of await readdir(log)) if (name.endsWith('.tmp')) await rm(join(log, name));
    const ballast = join(data, 'ballast');
    await fill(ballast);
    for (let start = 1; start <= 2; start += 1) {
      const exit = await endOf(await member.start());
      expect(exit).toMatchObject({ code: 1, saysFull: true, saysDamaged: null });
      expect(exit.lastWords).toContain('failed to repair WAL: unexpected EOF');
    }
    await rm(ballast);
    await member.start();
    await untilServing(admin, member);
    const read = must(await admin.read(member.endpoint, 'key', { serializable: false }, calm));
    expect(read?.value).toBe('value');
  },
);
