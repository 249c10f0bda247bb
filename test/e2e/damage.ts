import { open, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Fleet } from './harness.ts';
import { memberOf, type Role } from './roles.ts';

/* What happens to the disk of an instance while nothing runs on it. */

/**
 * Does something to the data of an instance while its etcd is dead and its appliance frozen, which then finds what it
 * finds. `data` is its DATA_DIR.
 */
export async function whileOff(
  { sandbox, machine }: Fleet,
  instanceId: string,
  work: (data: string) => Promise<void>,
): Promise<void> {
  const { hypervisor } = sandbox;
  const { dataDir } = await machine(instanceId);
  await hypervisor.freeze(instanceId, 'appliance');
  // It may have ended before.
  if ((await machine(instanceId)).etcd !== null) await hypervisor.kill(instanceId, 'etcd');
  try {
    await work(dataDir);
  } finally {
    await hypervisor.thaw(instanceId, 'appliance');
  }
}

/**
 * Damages the data of a member: it comes back, whole or under another id, and the others serve on. A log that only lacks
 * its end may be mended by the leader; nothing else may be taken for whole.
 */
export async function dataAreDamaged(fleet: Fleet, role: Role, damage: Damage): Promise<void> {
  const { sandbox, view, whole, writesGoOn, watch } = fleet;
  const [victim, size] = [await memberOf(fleet, role), (await view()).length];
  const removed = watch.removed();
  // Now its member may be replaced.
  sandbox.cloud.events.emit('data-damaged', { instanceId: victim.instanceId });
  await whileOff(fleet, victim.instanceId, DAMAGES[damage]);
  await whole(size);
  await writesGoOn();
  const more = watch.removed().filter((id) => !removed.includes(id));
  expect(more.filter((id) => id !== victim.status?.memberId)).toEqual([]);
}

/** What may be wrong with data, each done to the DATA_DIR of an instance that is off. */
export const DAMAGES = {
  'a log that ends too early': async (data) => {
    const { path, usedBytes } = await lastLog(data);
    await truncate(path, Math.floor(usedBytes / 2));
  },
  'a log of which nothing is left': async (data) => {
    await truncate((await lastLog(data)).path, 0);
  },
  'a log with flipped bytes': async (data) => {
    const { path, usedBytes } = await lastLog(data);
    await flip(path, [Math.floor(usedBytes / 3), Math.floor(usedBytes / 2)]);
  },
  'a database with flipped bytes in its heads': async (data) => {
    await flip(databaseOf(data), [20, 40, PAGE + 20, PAGE + 40]);
  },
  'a database with flipped bytes all over': async (data) => {
    const path = databaseOf(data);
    const { size } = await stat(path);
    // The first two pages stay, and of all others some bytes of the head and some of what they hold.
    const pages = Array.from({ length: Math.floor(size / PAGE) - 2 }, (_, page) => (page + 2) * PAGE);
    await flip(
      path,
      pages.flatMap((page) => [page + 8, page + 10, page + 200, page + 2_000]),
    );
  },
  'a database that is cut': async (data) => {
    await truncate(databaseOf(data), PAGE * 3);
  },
} satisfies Readonly<Record<string, (data: string) => Promise<void>>>;

export type Damage = keyof typeof DAMAGES;

/** bbolt's, which is the system's. */
const PAGE = 4_096;

function databaseOf(data: string): string {
  return join(data, 'etcd/member/snap/db');
}

/** The file that etcd wrote to last, and how much of it: the rest is zeroes, kept in advance. */
async function lastLog(data: string): Promise<{ readonly path: string; readonly usedBytes: number }> {
  const path = await lastLogOf(join(data, 'etcd/member/wal'));
  await using file = await open(path);
  const piece = Buffer.alloc(PIECE);
  // From its beginning, up to a piece that is nothing but zeroes: the file is much longer than what it holds.
  for (let usedBytes = 0, at = 0; ; at += PIECE) {
    const { bytesRead } = await file.read(piece, 0, PIECE, at);
    let last = bytesRead - 1;
    while (last >= 0 && piece[last] === 0) last -= 1;
    if (last < 0) return { path, usedBytes };
    usedBytes = at + last + 1;
  }
}

async function lastLogOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.wal')).toSorted();
  return join(folder, names.at(-1) ?? '');
}

const PIECE = 1 << 16;

/** Leaves a log as one is left whose last record was being written: it claims more than is there. `folder`: of its files. */
export async function cutOffLastRecord(folder: string): Promise<void> {
  const path = await lastLogOf(folder);
  await using file = await open(path, 'r+');
  const head = Buffer.alloc(8);
  for (let at = 0; ;) {
    await file.read(head, 0, head.length, at);
    const length = head.readBigUInt64LE();
    if (length === 0n) {
      head.writeBigUInt64LE(1n << 20n);
      await file.write(head, 0, head.length, at);
      await file.truncate(at + head.length + 1_000);
      return;
    }
    // The upper byte tells how many zeroes follow.
    at += head.length + Number(length & ((1n << 56n) - 1n)) + Number((length >> 56n) & 7n);
  }
}

/** Turns every bit of these bytes round. */
async function flip(path: string, places: readonly number[]): Promise<void> {
  await using file = await open(path, 'r+');
  const one = Buffer.alloc(1);
  for (const place of places) {
    await file.read(one, 0, 1, place);
    await file.write(Buffer.from([~(one[0] ?? 0) & 0xff]), 0, 1, place);
  }
}
