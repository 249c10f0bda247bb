import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { createBinaryCatalogue } from '../../src/etcd/catalogue.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;
const quiet = {
  info: () => undefined,
  warn: () => undefined,
  debug: () => undefined,
  error: () => undefined,
};

/** Puts a server there that writes a line for each time it is asked, and does this first; alone, without its tools. */
async function server(root: string, version: string, first = ':'): Promise<void> {
  const folder = join(root, 'etcd', version);
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'etcd');
  await writeFile(
    path,
    `#!/bin/sh\necho ${version} >>${join(root, 'asked')}\n${first}\necho "etcd Version: ${version}"\n`,
  );
  await chmod(path, 0o755);
}

async function asked(root: string): Promise<readonly string[]> {
  const text = await readFile(join(root, 'asked'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();
}

describe('the catalogue of servers', () => {
  test('asks each server once for all who want to know, and again only when one changes', async () => {
    await using place = await temporaryDirectory();
    await server(place.path, '3.5.35');
    await server(place.path, '3.6.16');
    const catalogue = createBinaryCatalogue(join(place.path, 'etcd'), quiet);
    const lists = await Promise.all([catalogue.list(calm), catalogue.list(calm), catalogue.list(calm)]);
    for (const list of lists) expect(list.map((it) => it.version)).toEqual(['3.5.35', '3.6.16']);
    expect(await asked(place.path)).toEqual(['3.5.35', '3.6.16']);
    await server(place.path, '3.7.3');
    expect(await catalogue.list(calm)).toHaveLength(3);
    expect(await catalogue.list(calm)).toHaveLength(3);
    expect(await asked(place.path)).toEqual(['3.5.35', '3.5.35', '3.6.16', '3.6.16', '3.7.3']);
  });

  test('sees that a server may not be executed any more', async () => {
    await using place = await temporaryDirectory();
    await server(place.path, '3.5.35');
    const catalogue = createBinaryCatalogue(join(place.path, 'etcd'), quiet);
    expect(await catalogue.list(calm)).toHaveLength(1);
    await chmod(join(place.path, 'etcd', '3.5.35', 'etcd'), 0o644);
    expect(await catalogue.list(calm)).toEqual([]);
  });

  test('goes on for the others when one gives up', async () => {
    await using place = await temporaryDirectory();
    await server(place.path, '3.5.35');
    const catalogue = createBinaryCatalogue(join(place.path, 'etcd'), quiet);
    const leaving = new AbortController();
    const first = catalogue.list(leaving.signal);
    const second = catalogue.list(calm);
    leaving.abort();
    await expect(first).rejects.toThrow('aborted');
    expect(await second).toHaveLength(1);
    expect(await asked(place.path)).toHaveLength(1);
  });

  test('asks again who could not say its version: a slow machine takes no version away for good', async () => {
    await using place = await temporaryDirectory();
    await server(place.path, '3.6.16');
    await server(place.path, '3.5.35', `[ -e ${join(place.path, 'slow')} ] && exec sleep 60`);
    await writeFile(join(place.path, 'slow'), '');
    const warned: object[] = [];
    const log = { ...quiet, warn: (fields: object) => void warned.push(fields) };
    const times = { limitMs: 1_000, againMs: 100 };
    const catalogue = createBinaryCatalogue(join(place.path, 'etcd'), log, times);
    const versions = async (): Promise<string> =>
      (await catalogue.list(calm)).map((it) => it.version).join(' ');
    expect(await versions()).toBe('3.6.16');
    await rm(join(place.path, 'slow'));
    await vi.waitFor(async () => expect(await versions()).toBe('3.5.35 3.6.16'), 10_000);
    expect(warned).toEqual([expect.objectContaining({ passing: true })]);
  });

  test('takes what a server ends with for passing, and what its file is for what it is', async () => {
    await using place = await temporaryDirectory();
    await server(place.path, '3.5.35', `[ -e ${join(place.path, 'ends')} ] && exit 2`);
    await server(place.path, '3.6.16', 'exit 0');
    const warned: object[] = [];
    const log = { ...quiet, warn: (fields: object) => void warned.push(fields) };
    await writeFile(join(place.path, 'ends'), '');
    const catalogue = createBinaryCatalogue(join(place.path, 'etcd'), log, { againMs: 0 });
    expect(await catalogue.list(calm)).toEqual([]);
    expect(warned).toMatchObject([{ passing: true }, { passing: false }]);
    await rm(join(place.path, 'ends'));
    await vi.waitFor(async () => expect(await catalogue.list(calm)).toHaveLength(1), 10_000);
    const before = await asked(place.path);
    for (let time = 0; time < 5; time += 1) await catalogue.list(calm);
    expect(await asked(place.path)).toEqual(before);
  });

  test('keeps no failure', async () => {
    await using place = await temporaryDirectory();
    const folder = join(place.path, 'etcd');
    // A file is no folder that could be read.
    await writeFile(folder, '');
    const catalogue = createBinaryCatalogue(folder, quiet);
    await expect(catalogue.list(calm)).rejects.toThrow('ENOTDIR');
    await rm(folder);
    expect(await catalogue.list(calm)).toEqual([]);
  });
});
