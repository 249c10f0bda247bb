import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listBinaries, listServers } from '../../src/etcd/binaries.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;

/** A folder with the three binaries of a version, each of which says that it is this version. */
async function version(root: string, number: string): Promise<void> {
  await mkdir(join(root, number));
  for (const name of ['etcd', 'etcdctl', 'etcdutl']) {
    const path = join(root, number, name);
    await writeFile(path, `#!/bin/sh\necho "${name} version: ${number}"\n`);
    await chmod(path, 0o755);
  }
}

describe('a folder of binaries', () => {
  test.each([
    ['listBinaries', listBinaries],
    ['listServers', listServers],
  ])('%s: links that lead nowhere are unusable, and take nothing from the others', async (_, list) => {
    await using place = await temporaryDirectory();
    await version(place.path, '3.5.35');
    await version(place.path, '3.6.16');
    await symlink('3.5.35', join(place.path, 'current'));
    await symlink('gone', join(place.path, '3.4.34'));
    await symlink('3.7.0', join(place.path, '3.7.0'));
    await writeFile(join(place.path, 'README'), 'no version');
    const { binaries, broken } = await list(place.path, calm);
    expect(binaries.map((it) => it.version)).toEqual(['3.5.35', '3.5.35', '3.6.16']);
    expect(broken.map(({ directory }) => directory)).toEqual(
      ['3.4.34', '3.7.0'].map((name) => join(place.path, name)),
    );
  });

  test('is empty where it is absent', async () => {
    await using place = await temporaryDirectory();
    expect(await listBinaries(join(place.path, 'none'), calm)).toEqual({ binaries: [], broken: [] });
  });

  test('that is a file, or leads to itself, is said in one line', async () => {
    await using place = await temporaryDirectory();
    const file = join(place.path, 'file');
    const loop = join(place.path, 'loop');
    await writeFile(file, '');
    await symlink('loop', loop);
    for (const path of [file, join(file, 'below'), loop]) {
      const line = expect.stringMatching(
        new RegExp(`^ETCD_DIR: "${path}" is no folder that can be read`),
      ) as string;
      await expect(listBinaries(path, calm)).rejects.toMatchObject({
        details: { code: 'configuration', problems: [line] },
      });
    }
  });
});
