import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { preflightBinary } from '../../src/etcd/preflight.ts';
import { temporaryDirectory } from '../tools.ts';

const calm = new AbortController().signal;

/** A folder of binaries with one that does what the script says. */
async function folderWith(root: string, name: string, script: string, mode = 0o755): Promise<string> {
  await mkdir(join(root, name), { recursive: true });
  const path = join(root, name, 'etcd');
  await writeFile(path, script);
  await chmod(path, mode);
  return root;
}

const says = (version: string): string => `#!/bin/sh\necho "etcd Version: ${version}"\n`;

async function why(root: string, version: string): Promise<string | undefined> {
  return (await preflightBinary(root, version, calm))?.why;
}

describe('the binary that a step needs', () => {
  test('runs and is that very version', async () => {
    await using place = await temporaryDirectory();
    const root = await folderWith(place.path, '3.6.16', says('3.6.16'));
    expect(await preflightBinary(root, '3.6.16', calm)).toBeNull();
    expect(await preflightBinary(root, '3.6', calm)).toBeNull();
  });

  test('is missing: the sentence names what is there', async () => {
    await using place = await temporaryDirectory();
    expect(await why(place.path, '3.6.16')).toBe(
      `there is no etcd 3.6.16 in ${place.path} that runs: it has none at all`,
    );
    await folderWith(place.path, '3.5.35', says('3.5.35'));
    await folderWith(place.path, '3.6.15', says('3.6.15'));
    expect(await why(place.path, '3.6.16')).toContain('it has 3.5.35, 3.6.15');
    expect(await why(join(place.path, 'nowhere'), '3.6')).toContain('none at all');
  });

  test('may not be executed', async () => {
    await using place = await temporaryDirectory();
    const root = await folderWith(place.path, '3.6.16', says('3.6.16'), 0o644);
    expect(await why(root, '3.6.16')).toContain(
      `${join(root, '3.6.16', 'etcd')} is missing or cannot be run`,
    );
  });

  test('is another version than its folder says', async () => {
    await using place = await temporaryDirectory();
    const root = await folderWith(place.path, '3.6.16', says('3.6.15'));
    expect(await why(root, '3.6.16')).toContain(`${join(root, '3.6.16', 'etcd')} is 3.6.15`);
  });

  test('ends with an error, or is no program', async () => {
    await using place = await temporaryDirectory();
    await folderWith(place.path, '3.6.16', '#!/bin/sh\nexit 3\n');
    await folderWith(place.path, '3.7.3', 'half of a download');
    expect(await why(place.path, '3.6')).toContain('exit code 3');
    expect(await why(place.path, '3.7.3')).toMatch(/3\.7\.3.*(ENOEXEC|failed)/);
  });
});
