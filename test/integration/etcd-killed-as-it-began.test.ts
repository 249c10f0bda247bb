import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { createLogReader } from '../../src/etcd/wal.ts';
import { calm } from '../etcd-lab.ts';
import { etcdBinary, eventually, freePort, temporaryDirectory, TESTED_MINORS } from '../tools.ts';

/** A frame begins with its length; a record, with its type. */
const FRAME_BYTES = 8;
const ENTRY = 2;

/** Takes the log back to what it was before the first entry, as etcd leaves it that is killed in between. */
async function forgetEntries(log: string): Promise<void> {
  const [name = ''] = (await readdir(log)).filter((it) => it.endsWith('.wal'));
  const bytes = await readFile(join(log, name));
  let at = 0;
  for (;;) {
    const length = bytes.readUIntLE(at, 6);
    expect(length).toBeGreaterThan(0);
    // Field 1 of every record, a number of one byte.
    if (bytes[at + FRAME_BYTES + 1] === ENTRY) break;
    const padding = (bytes[at + FRAME_BYTES - 1] ?? 0) & 0x7;
    at += FRAME_BYTES + length + padding;
  }
  bytes.fill(0, at);
  await writeFile(join(log, name), bytes);
}

test.for(TESTED_MINORS)(
  'etcd %s that is killed before its first entry knows no members, and waits for a leader for ever',
  async (minor) => {
    await using place = await temporaryDirectory();
    const directory = join(place.path, 'data');
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const [client, own, second, third] = ports;
    const { etcd } = await etcdBinary(minor);
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    const run = async (until: () => Promise<boolean>): Promise<void> => {
      const process = execa(
        etcd,
        [
          ['--name', 'one', '--data-dir', directory, '--initial-cluster-state', 'new'],
          ['--listen-client-urls', url(client), '--advertise-client-urls', url(client)],
          ['--listen-peer-urls', url(own), '--initial-advertise-peer-urls', url(own)],
          ['--initial-cluster', `one=${url(own)},two=${url(second)},three=${url(third)}`],
        ].flat(),
        { reject: false, stdio: 'ignore', cleanup: true },
      );
      try {
        await eventually(until);
      } finally {
        process.kill('SIGKILL');
        await process;
      }
    };
    const members = async (): Promise<readonly unknown[] | null | undefined> =>
      await fetch(`${url(own)}/members`).then(
        async (it) => (await it.json()) as readonly unknown[] | null,
        () => undefined,
      );
    await run(async () => (await members())?.length === 3);
    const log = createLogReader(directory);
    expect(await log.read(0, calm)).toMatchObject({ lastIndex: 3 });

    await forgetEntries(join(directory, 'member', 'wal'));
    expect(await createLogReader(directory).read(0, calm)).toMatchObject({ lastIndex: 0 });
    await run(async () => {
      const told = await members();
      return told !== undefined && (told ?? []).length === 0;
    });
  },
);
