import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { preflight } from '../../src/etcd/preflight.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'preflight-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('the preflight of a start', () => {
  it('makes no folder for the data: whoever asks need not be who runs etcd', async () => {
    // An address of the documentation: the folder comes first, and this is what is wrong then.
    const obstacle = await preflight(join(folder, 'data', 'etcd'), '192.0.2.1');
    expect(obstacle?.why).toContain('192.0.2.1');
    expect(await readdir(folder)).toEqual([]);
  });

  it('names a file that is where the folder is to be', async () => {
    await writeFile(join(folder, 'data'), '');
    const obstacle = await preflight(join(folder, 'data', 'etcd'), '192.0.2.1');
    expect(obstacle?.why).toContain(`${join(folder, 'data', 'etcd')} cannot be used`);
  });
});
