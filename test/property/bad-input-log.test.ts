import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fields } from '../../src/etcd/protobuf.ts';
import { createLogReader } from '../../src/etcd/wal.ts';
import { commit, entry, HEAD, snapshot, V2 } from '../fixtures/etcd-log.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;

const LOG = Buffer.concat([
  HEAD,
  entry(1, V2),
  entry(2),
  commit(2),
  snapshot(2),
  entry(3, V2),
  commit(3),
  Buffer.alloc(16),
]);

test('bytes that are no message end in an error, or in fields that are within them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const field of fields(Buffer.from(bytes))) expect(field.bytes?.length ?? 0).toBeLessThan(200);
      } catch (error) {
        expect(String(error)).toContain('not a message');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a spoilt log is told, or read as one, and nothing else happens', async () => {
  await using place = await temporaryDirectory();
  const directory = join(place.path, 'member', 'wal');
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${'0'.repeat(16)}-${'0'.repeat(16)}.wal`);
  await writeFile(path, LOG);
  const reader = createLogReader(place.path);
  expect(await reader.read(0, calm)).toEqual({ snapshotIndex: 2, lastIndex: 3, lastV2Index: 3 });
  const spoilt = fc.record({
    at: fc.nat(LOG.length - 1),
    by: fc.integer({ min: 1, max: 255 }),
    length: fc.integer({ min: 0, max: LOG.length }),
  });
  await fc.assert(
    fc.asyncProperty(spoilt, async ({ at, by, length }) => {
      const bytes = Buffer.from(LOG.subarray(0, length));
      if (at < length) bytes[at] = ((bytes[at] ?? 0) + by) % 256;
      await writeFile(path, bytes);
      try {
        const { snapshotIndex, lastIndex } = await reader.read(0, calm);
        expect(lastIndex).toBeGreaterThanOrEqual(snapshotIndex);
      } catch (error) {
        expect(String(error)).toContain('cannot be read as a log');
      }
    }),
    { numRuns: 300 },
  );
});
