import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLogReader } from '../../src/etcd/wal.ts';
import { commit, entry, field, HEAD, ROOM, snapshot, V2, V3 } from '../fixtures/etcd-log.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;

/** A log of these files, each with the index of its first entry. */
async function logOf(
  root: string,
  files: readonly { readonly from: number; readonly records: readonly Buffer[] }[],
): Promise<string> {
  const directory = join(root, 'member', 'wal');
  await mkdir(directory, { recursive: true });
  for (const [number, { from, records }] of files.entries()) {
    const hex = (value: number): string => value.toString(16).padStart(16, '0');
    await writeFile(join(directory, `${hex(number)}-${hex(from)}.wal`), Buffer.concat([...records]));
  }
  return root;
}

async function replayOf(records: readonly Buffer[], hint = 0) {
  await using place = await temporaryDirectory();
  return await createLogReader(await logOf(place.path, [{ from: 0, records }])).read(hint, calm);
}

describe('what a start would replay', () => {
  test('is all of a log without a snapshot, up to the last old request', async () => {
    const records = [HEAD, entry(1, V2), entry(2), entry(3, V2), entry(4), commit(4), ROOM];
    expect(await replayOf(records)).toEqual({ snapshotIndex: 0, lastIndex: 4, lastV2Index: 3 });
  });

  test('begins behind the newest snapshot that is committed', async () => {
    const old = [HEAD, entry(1, V2), entry(2, V2), entry(3), commit(3)];
    expect(await replayOf([...old, snapshot(2), ROOM])).toMatchObject({
      snapshotIndex: 2,
      lastV2Index: null,
    });
    expect(await replayOf([...old, snapshot(1), ROOM])).toMatchObject({ snapshotIndex: 1, lastV2Index: 2 });
    expect(await replayOf([...old, snapshot(9), ROOM])).toMatchObject({ snapshotIndex: 0, lastV2Index: 2 });
    expect(await replayOf([HEAD, snapshot(9), commit(9), ROOM])).toMatchObject({ lastIndex: 9 });
  });

  test('counts no change of members, no empty entry, and no request of v3', async () => {
    const records = [HEAD, entry(1, V2, 1), entry(2, Buffer.alloc(0)), entry(3, V3), commit(3), ROOM];
    expect(await replayOf(records)).toMatchObject({ lastIndex: 3, lastV2Index: null });
  });

  test('forgets what a new leader overwrote', async () => {
    const records = [HEAD, entry(1), entry(2, V2), entry(3, V2), entry(2), commit(2), ROOM];
    expect(await replayOf(records)).toEqual({ snapshotIndex: 0, lastIndex: 2, lastV2Index: null });
  });

  test('goes on in the next file, and needs none that is older than the snapshot', async () => {
    await using place = await temporaryDirectory();
    const garbage = Buffer.concat([Buffer.from([5, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(64, 0xff)]);
    const files = [
      { from: 0, records: [garbage] },
      { from: 10, records: [HEAD, entry(10, V2), entry(11, V2), commit(11), snapshot(11)] },
      { from: 12, records: [HEAD, entry(12), entry(13, V2), commit(13), ROOM] },
    ];
    const root = await logOf(place.path, files);
    const whole = { snapshotIndex: 11, lastIndex: 13, lastV2Index: 13 };
    expect(await createLogReader(root).read(11, calm)).toEqual(whole);
    // No record tells of that snapshot: its file is an orphan, and everything is read.
    await expect(createLogReader(root).read(12, calm)).rejects.toThrow('cannot be read as a log');
    await logOf(place.path, [{ from: 0, records: [HEAD, entry(9, V2)] }]);
    expect(await createLogReader(root).read(12, calm)).toEqual(whole);
  });

  test('is read on from where the last reading stopped, unless the end was cut off or the log is another', async () => {
    await using place = await temporaryDirectory();
    const write = async (...records: readonly Buffer[]): Promise<string> =>
      await logOf(place.path, [{ from: 0, records: [...records, ROOM] }]);
    const reader = createLogReader(await write(HEAD, entry(1), entry(2, V2)));
    expect(await reader.read(0, calm)).toMatchObject({ lastIndex: 2, lastV2Index: 2 });
    // Garbage in what was read: who reads on does not see it.
    const [, path] = [await write(HEAD, entry(1), entry(2, V2), entry(3), commit(3)), place.path];
    expect(await reader.read(0, calm)).toMatchObject({ lastIndex: 3, lastV2Index: 2 });
    const log = join(path, 'member', 'wal', `${'0'.repeat(16)}-${'0'.repeat(16)}.wal`);
    const spoilt = Buffer.concat([
      HEAD,
      entry(1),
      entry(2, V2),
      entry(3),
      commit(3),
      entry(4, V2),
      commit(4),
      ROOM,
    ]);
    spoilt.fill(0xff, HEAD.length, HEAD.length + 16);
    await writeFile(log, spoilt);
    expect(await reader.read(0, calm)).toMatchObject({ lastIndex: 4, lastV2Index: 4 });
    // etcd cut the last one off and wrote another: all is read again.
    await write(
      HEAD,
      entry(1),
      entry(2, V2),
      entry(3),
      commit(3),
      entry(4),
      entry(5),
      commit(5),
      snapshot(2),
    );
    expect(await reader.read(2, calm)).toEqual({ snapshotIndex: 2, lastIndex: 5, lastV2Index: null });
    await logOf(place.path, [
      {
        from: 0,
        records: [HEAD, entry(1), entry(2, V2), entry(3), commit(3), entry(4), entry(5), commit(5)],
      },
      { from: 6, records: [HEAD, entry(6, V2), commit(6), ROOM] },
    ]);
    expect(await reader.read(0, calm)).toMatchObject({ lastIndex: 6, lastV2Index: 6 });
  });

  test('is read from records larger than what is read at once', async () => {
    const large = Buffer.concat([field(1, 77), field(4, Buffer.alloc(3_000_000, 7))]);
    const records = [HEAD, entry(1, large), entry(2, V2), entry(3, large), commit(3), ROOM];
    expect(await replayOf(records)).toEqual({ snapshotIndex: 0, lastIndex: 3, lastV2Index: 2 });
  });

  test('is not known where a record is half written, garbage, or there is no log', async () => {
    const whole = Buffer.concat([HEAD, entry(1, V2), entry(2, V2), commit(2)]);
    const half = Buffer.concat([HEAD, entry(1, V2)]).length + 20;
    await expect(
      replayOf([whole.subarray(0, half), Buffer.alloc(whole.length - half), ROOM]),
    ).rejects.toThrow('cannot be read as a log');
    await expect(replayOf([Buffer.alloc(512, 0xff)])).rejects.toThrow('cannot be read as a log');
    await using place = await temporaryDirectory();
    await expect(createLogReader(place.path).read(0, calm)).rejects.toThrow('holds no log');
  });

  test('ends with its signal', async () => {
    await using place = await temporaryDirectory();
    const root = await logOf(place.path, [{ from: 0, records: [HEAD, entry(1), commit(1), ROOM] }]);
    await expect(createLogReader(root).read(0, AbortSignal.abort(new Error('enough')))).rejects.toThrow();
  });
});
