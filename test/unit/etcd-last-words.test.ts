import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEtcdProcesses } from '../../src/etcd/process.ts';
import { calm, keptLog, must } from '../etcd-lab.ts';
import { temporaryDirectory } from '../tools.ts';

const LOADER = 'error while loading shared libraries: libc.so.6: cannot open shared object file';

/** What an etcd is said to have said last that does so much, and ends. */
async function lastWordsOf(script: string): Promise<string> {
  await using place = await temporaryDirectory();
  const etcdDirectory = join(place.path, 'image');
  await mkdir(join(etcdDirectory, '3.5.35'), { recursive: true });
  const version = 'if [ "$1" = --version ]; then echo "etcd Version: 3.5.35"; exit 0; fi';
  await writeFile(join(etcdDirectory, '3.5.35/etcd'), `#!/bin/sh\n${version}\n${script}\n`, { mode: 0o755 });
  const options = { etcdDirectory, dataDirectory: join(place.path, 'data'), extraFlags: [], env: {} };
  const address = '127.0.0.1';
  const cluster = [{ name: 'n1', peerUrl: `http://${address}:2380` }];
  const initial = { state: 'new' as const, token: 'a-token', cluster };
  const start = { version: '3.5.35', name: 'n1', address, initial };
  const running = must(await createEtcdProcesses(options, keptLog().deps).start(start, calm));
  return (await running.exited).lastWords;
}

test.concurrent('an etcd that ends with a plain line has said that, whatever line it is', async () => {
  expect(await lastWordsOf(`echo '{"level":"info","msg":"x"}'; echo '${LOADER}' >&2; exit 127`)).toBe(LOADER);
});

test.concurrent('an etcd that ends without a word has said nothing', async () => {
  expect(await lastWordsOf('exit 1')).toBe('');
});
