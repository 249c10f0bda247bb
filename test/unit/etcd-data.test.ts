import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DataIdentity } from '../../src/core/local-data.ts';
import { planRetention } from '../../src/core/plan-retention.ts';
import { createDataDirectory } from '../../src/etcd/data-directory.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;
const AT = '2026-11-21T15:00:00.123Z';

const IDENTITY: DataIdentity = {
  format: 1,
  instanceId: 'i-0a',
  token: 'abc',
  epoch: 1,
  clusterId: '00000000000000aa',
  memberId: null,
  formed: false,
  voter: true,
  version: '3.5.35',
  register: 'route53:Z1/_etcd-cluster.a.example.org',
};

const NOTHING = { present: false, identity: null, mark: null, aside: [] };

async function withData(directory: string): Promise<void> {
  await mkdir(join(directory, 'etcd/member/wal'), { recursive: true });
  await writeFile(join(directory, 'etcd/member/wal/0-0.wal'), 'log');
}

describe('the data directory', () => {
  test('holds nothing where it does not exist, and makes itself', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: join(place.path, 'deep/data'), wallTime: () => AT });
    expect(await data.read(calm)).toEqual(NOTHING);
    await data.setAside('nothing there', calm);
    expect(await data.read(calm)).toEqual(NOTHING);
    await data.writeMark({ token: 'abc', nonce: 'n', started: false }, calm);
    await data.writeIdentity(IDENTITY, calm);
    expect(await data.read(calm)).toEqual({
      ...NOTHING,
      identity: IDENTITY,
      mark: { token: 'abc', nonce: 'n', started: false },
    });
    await data.writeMark({ token: null, nonce: 'n', started: false }, calm);
    expect((await data.read(calm)).mark).toEqual({ token: null, nonce: 'n', started: false });
    await data.writeMark(null, calm);
    expect((await data.read(calm)).mark).toBeNull();
  });

  test.each([null, 'etcd 3.6.16 does not come up'])(
    'keeps a step to another etcd, until it is over: why %s',
    async (why) => {
      await using place = await temporaryDirectory();
      const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
      const step = { from: '3.5.35', to: '3.6.16', why };
      await data.writeIdentity({ ...IDENTITY, step }, calm);
      expect((await data.read(calm)).identity).toEqual({ ...IDENTITY, step });
      await data.writeIdentity({ ...IDENTITY, step: null }, calm);
      expect((await data.read(calm)).identity).toEqual(IDENTITY);
    },
  );

  test('keeps after how few entries etcd takes a snapshot, while it does', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await data.writeIdentity({ ...IDENTITY, snapshotCount: 3 }, calm);
    expect((await data.read(calm)).identity).toEqual({ ...IDENTITY, snapshotCount: 3 });
    for (const none of [null, 0, 0.5, Number.NaN]) {
      await data.writeIdentity({ ...IDENTITY, snapshotCount: none }, calm);
      expect((await data.read(calm)).identity).toEqual(IDENTITY);
    }
  });

  test('keeps that etcd could not read the data, while it could not', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await data.writeIdentity({ ...IDENTITY, damaged: true }, calm);
    expect((await data.read(calm)).identity).toEqual({ ...IDENTITY, damaged: true });
    await data.writeIdentity({ ...IDENTITY, damaged: false }, calm);
    expect((await data.read(calm)).identity).toEqual(IDENTITY);
  });

  test.each([
    ['no object', 'from'],
    ['no from', { to: '3.6.16', why: null }],
    ['no why', { from: '3.5.35', to: '3.6.16' }],
  ])('takes what is no step for none: %s', async (_name, step) => {
    await using place = await temporaryDirectory();
    await mkdir(place.path, { recursive: true });
    await writeFile(join(place.path, 'identity.json'), JSON.stringify({ ...IDENTITY, step }));
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    expect((await data.read(calm)).identity).toEqual(IDENTITY);
  });

  test('is present with a log or a database, and not with an empty folder', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await mkdir(join(place.path, 'etcd/member/wal'), { recursive: true });
    expect((await data.read(calm)).present).toBe(false);
    await mkdir(join(place.path, 'etcd/member/snap'), { recursive: true });
    await writeFile(join(place.path, 'etcd/member/snap/db'), '');
    expect((await data.read(calm)).present).toBe(true);
    await rm(join(place.path, 'etcd/member/snap/db'));
    await writeFile(join(place.path, 'etcd/member/wal/0-0.wal'), '');
    expect((await data.read(calm)).present).toBe(true);
  });

  test('sets data aside with their identity, each time into a folder of its own', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    for (const reason of ['first', 'second']) {
      await withData(place.path);
      await data.writeIdentity(IDENTITY, calm);
      await data.setAside(reason, calm);
    }
    const { aside, ...rest } = await data.read(calm);
    expect(rest).toEqual({ present: false, identity: null, mark: null });
    expect(aside.map(({ reason, at, identity }) => ({ reason, at, identity }))).toEqual([
      { reason: 'first', at: AT, identity: IDENTITY },
      { reason: 'second', at: AT, identity: IDENTITY },
    ]);
    const [first] = aside;
    expect(first?.directory).toBe(join(place.path, 'aside/20261121T150000Z-00000000000000aa'));
    expect(await readFile(join(first?.directory ?? '', 'etcd/member/wal/0-0.wal'), 'utf8')).toBe('log');
  });

  test('keeps the order in which data were set aside when the clock is put back', async () => {
    await using place = await temporaryDirectory();
    // An instance begins with its machine's clock, and has the right time some seconds later.
    const times = ['2026-11-21T17:00:00.000Z', AT, '2026-11-21T15:00:09.000Z'];
    const data = createDataDirectory({ directory: place.path, wallTime: () => times.shift() ?? '' });
    for (const memberId of ['00000000000000a1', '00000000000000a2', '00000000000000a3']) {
      await withData(place.path);
      await data.writeIdentity({ ...IDENTITY, memberId, formed: true }, calm);
      await data.setAside('removed-while-away', calm);
    }
    const { aside } = await data.read(calm);
    const newest = aside.toSorted((a, b) => (a.at < b.at ? -1 : 1)).map((it) => it.identity?.memberId);
    expect(newest).toEqual(['00000000000000a1', '00000000000000a2', '00000000000000a3']);
    // The newest of a cluster is never deleted (law 2).
    expect(planRetention(aside, null)?.entry.identity?.memberId).toBe('00000000000000a1');
  });

  test('deletes one folder of data set aside, and what a crash left of such a deletion', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    for (const reason of ['first', 'second']) {
      await withData(place.path);
      await data.writeIdentity(IDENTITY, calm);
      await data.setAside(reason, calm);
    }
    await withData(place.path);
    const [first, second] = (await data.read(calm)).aside;
    await data.discard(first?.directory ?? '', calm);
    expect((await data.read(calm)).aside).toEqual([second]);
    expect((await data.read(calm)).present).toBe(true);
    expect(await readdir(place.path)).not.toContain('discarded');
    // The process died after the rename: the rest is no data of anybody's, and goes at the next read.
    await rename(second?.directory ?? '', join(place.path, 'discarded'));
    expect((await data.read(calm)).aside).toEqual([]);
    expect(await readdir(place.path)).not.toContain('discarded');
  });

  test('deletes nothing else', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await withData(place.path);
    await data.writeIdentity(IDENTITY, calm);
    for (const path of ['etcd', 'aside', 'aside/..', 'aside/../etcd', 'aside/none', '']) {
      await expect(data.discard(join(place.path, path), calm)).rejects.toThrow('it is not deleted');
    }
    expect((await data.read(calm)).present).toBe(true);
  });

  test('keeps a mark where it is when data are set aside', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await withData(place.path);
    await data.writeMark({ token: 'abc', nonce: 'n', started: true }, calm);
    await data.setAside('reason', calm);
    const read = await data.read(calm);
    expect(read.mark?.started).toBe(true);
    expect(read.aside).toHaveLength(1);
  });

  test('goes on with a move that was cut short at any point', async () => {
    await using whole = await temporaryDirectory();
    const steps = await cutsOfMove(whole.path);
    for (const [index, directory] of steps.entries()) {
      const data = createDataDirectory({ directory, wallTime: () => AT });
      const read = await data.read(calm);
      // The data are in use with their identity, or aside with it; never in between, never lost.
      const inUse = read.present && read.identity?.token === 'abc' && read.aside.length === 0;
      const aside = !read.present && read.identity === null && read.aside[0]?.identity?.token === 'abc';
      expect([index, inUse || aside]).toEqual([index, true]);
      expect(await data.read(calm)).toEqual(read);
    }
    expect(steps).toHaveLength(5);
  });

  test.each(['', '{', '{}', '{"format":2}', 'null', '[]', JSON.stringify({ ...IDENTITY, token: 7 })])(
    'never takes an identity that cannot be read for none: %j',
    async (text) => {
      await using place = await temporaryDirectory();
      const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
      await withData(place.path);
      await writeFile(join(place.path, 'identity.json'), text);
      await expect(data.read(calm)).rejects.toMatchObject({ code: 'bad-answer' });
    },
  );

  test('never takes data that cannot be looked at for none', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await mkdir(join(place.path, 'etcd'));
    // A link that leads to itself: there is something, and nobody can say what.
    const { symlink } = await import('node:fs/promises');
    await symlink('member', join(place.path, 'etcd/member'));
    await expect(data.read(calm)).rejects.toThrow('ELOOP');
  });

  test('reads while data are moved either all of them in use, or all of them aside', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    for (let round = 0; round < 10; round += 1) {
      await withData(place.path);
      await data.writeIdentity(IDENTITY, calm);
      // Peers poll /birth, which reads, while the life of the member moves data.
      const reads = [data.read(calm), data.setAside('reason', calm), data.read(calm), data.read(calm)];
      const [before, , after, again] = await Promise.all(reads);
      expect(before).toMatchObject({ present: true, identity: IDENTITY });
      expect(after).toMatchObject({ present: false, identity: null });
      expect(after?.aside).toHaveLength(round + 1);
      expect(again).toEqual(after);
    }
  });

  test('goes on after a call that failed', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await writeFile(join(place.path, 'identity.json'), '{');
    const failed = data.read(calm);
    const written = data.writeIdentity(IDENTITY, calm);
    await expect(failed).rejects.toMatchObject({ code: 'bad-answer' });
    await written;
    expect((await data.read(calm)).identity).toEqual(IDENTITY);
  });

  test('moves nothing where it is only to be read', async () => {
    await using whole = await temporaryDirectory();
    for (const directory of await cutsOfMove(whole.path)) {
      const data = createDataDirectory({ directory, wallTime: () => AT, finish: false });
      const before = await contents(directory);
      await data.read(calm);
      expect(await contents(directory)).toEqual(before);
    }
  });

  test('lists data aside without a readable identity', async () => {
    await using place = await temporaryDirectory();
    const data = createDataDirectory({ directory: place.path, wallTime: () => AT });
    await withData(place.path);
    await writeFile(join(place.path, 'identity.json'), 'rubbish');
    await data.setAside('garbled', calm);
    const { aside, identity, present } = await data.read(calm);
    expect({ identity, present, aside: aside.map((entry) => [entry.identity, entry.reason]) }).toEqual({
      identity: null,
      present: false,
      aside: [[null, 'garbled']],
    });
  });
});

/** Every file of a directory with its text, by path. */
async function contents(directory: string): Promise<readonly (readonly [string, string])[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
  return await Promise.all(
    files.toSorted().map(async (path) => [path, await readFile(path, 'utf8')] as const),
  );
}

/** Copies of a data directory as a power cut leaves them after each step of setting aside. */
async function cutsOfMove(root: string): Promise<readonly string[]> {
  const base = join(root, 'base');
  const data = createDataDirectory({ directory: base, wallTime: () => AT });
  await withData(base);
  await data.writeIdentity(IDENTITY, calm);
  const folder = join(base, 'aside/20261121T150000Z-00000000000000aa');
  const note = (complete: boolean): string => JSON.stringify({ reason: 'r', at: AT, complete });
  const steps = [
    async () => mkdir(folder, { recursive: true }),
    async () => writeFile(join(folder, 'aside.json'), note(false)),
    async () => rename(join(base, 'identity.json'), join(folder, 'identity.json')),
    async () => rename(join(base, 'etcd'), join(folder, 'etcd')),
    async () => writeFile(join(folder, 'aside.json'), note(true)),
  ];
  const copies: string[] = [];
  for (const [index, step] of steps.entries()) {
    await step();
    const copy = join(root, `cut-${index}`);
    await cp(base, copy, { recursive: true });
    copies.push(copy);
  }
  // The steps are those of the real thing: it leaves the same files behind.
  const real = join(root, 'real');
  const other = createDataDirectory({ directory: real, wallTime: () => AT });
  await withData(real);
  await other.writeIdentity(IDENTITY, calm);
  await other.setAside('r', calm);
  const tree = async (directory: string) => (await readdir(directory, { recursive: true })).toSorted();
  expect(await tree(base)).toEqual(await tree(real));
  return copies;
}
