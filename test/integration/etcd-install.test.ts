import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { create } from 'tar';
import { describe, expect, test } from 'vitest';
import { listBinaries } from '../../src/etcd/binaries.ts';
import type { InstallProgress, InstallSource } from '../../src/etcd/install-source.ts';
import { installEtcd } from '../../src/etcd/install.ts';
import { releasePlatform } from '../../src/etcd/releases.ts';
import { createReleaseSource } from '../../src/etcd/source-release.ts';
import { endProcess, eventually, temporaryDirectory } from '../tools.ts';

/** As a release names this machine. */
const platform = releasePlatform('linux', process.arch);
const PLATFORM = platform.ok ? platform.name : 'none';

const calm = new AbortController().signal;

/** What stands in for etcd's release host: whole answers by path, or something else where a test says so. */
interface ReleaseHost extends AsyncDisposable {
  readonly url: string;
  readonly files: Map<string, Buffer>;
  readonly asked: string[];
  handle: (request: IncomingMessage, response: ServerResponse) => void;
}

async function releaseHost(): Promise<ReleaseHost> {
  const files = new Map<string, Buffer>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    host.handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const host: ReleaseHost = {
    url: `http://127.0.0.1:${port}/releases`,
    files,
    asked,
    handle(request, response) {
      const body = files.get(request.url ?? '');
      if (body === undefined) response.writeHead(404).end();
      else response.writeHead(200, { 'content-length': body.length }).end(body);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return host;
}

/** Puts a release on the host whose binaries are scripts that say `says`. */
async function publish(host: ReleaseHost, version: string, says = version): Promise<void> {
  await using place = await temporaryDirectory();
  const folder = `etcd-v${version}-${PLATFORM}`;
  await mkdir(join(place.path, folder, 'Documentation'), { recursive: true });
  await writeFile(join(place.path, folder, 'Documentation', 'etcd'), 'not a binary');
  for (const name of ['etcd', 'etcdctl', 'etcdutl']) {
    const line = name === 'etcd' ? `etcd Version: ${says}` : `${name} version: ${says}`;
    await writeFile(join(place.path, folder, name), `#!/bin/sh\necho "${line}"\n`, { mode: 0o755 });
  }
  const archive = join(place.path, 'archive.tar.gz');
  await create({ gzip: true, file: archive, cwd: place.path }, [folder]);
  const bytes = await readFile(archive);
  const sum = createHash('sha256').update(bytes).digest('hex');
  host.files.set(`/releases/v${version}/${folder}.tar.gz`, bytes);
  host.files.set(
    `/releases/v${version}/SHA256SUMS`,
    Buffer.from(`${'0'.repeat(64)}  other.zip\n${sum}  ${folder}.tar.gz\n`),
  );
}

function releases(host: ReleaseHost): InstallSource {
  return createReleaseSource({ baseUrl: host.url, platform: 'linux', arch: process.arch });
}

describe('an installation from releases', () => {
  test('checks, unpacks and puts in place the three binaries, and is done the second time', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.5.35');
    const seen: InstallProgress[] = [];
    const options = { directory: join(place.path, 'new'), what: '3.5', sources: [releases(host)] };
    const done = await installEtcd({ ...options, onProgress: (progress) => seen.push(progress) }, calm);
    expect(done).toMatchObject({
      source: 'release',
      binary: { version: '3.5.35', minor: '3.5' },
      failed: [],
    });
    expect(await readdir(join(options.directory, '3.5.35'))).toEqual(['etcd', 'etcdctl', 'etcdutl']);
    expect(await readdir(options.directory)).toEqual(['3.5.35']);
    expect(seen.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['download', 'unpack', 'verify']));
    const downloads = seen.filter(({ phase }) => phase === 'download');
    expect(downloads.at(-1)?.done).toBe(downloads.at(-1)?.total);

    const asked = host.asked.length;
    expect(await installEtcd(options, calm)).toMatchObject({ source: null, binary: { version: '3.5.35' } });
    expect(host.asked).toHaveLength(asked);
  });

  test('replaces what stands there and is broken', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.6.16');
    await mkdir(join(place.path, '3.6.16'));
    await writeFile(join(place.path, '3.6.16', 'etcd'), '', { mode: 0o755 });
    expect((await listBinaries(place.path, calm)).broken).toHaveLength(1);
    await installEtcd({ directory: place.path, what: '3.6.16', sources: [releases(host)] }, calm);
    expect(await listBinaries(place.path, calm)).toMatchObject({
      broken: [],
      binaries: [{ version: '3.6.16' }],
    });
  });

  test('never trusts a folder name, nor an archive', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.6.16', '3.6.15');
    const install = installEtcd({ directory: place.path, what: '3.6.16', sources: [releases(host)] }, calm);
    await expect(install).rejects.toThrow('it delivered 3.6.15, not 3.6.16');
    expect(await readdir(place.path)).toEqual([]);
  });

  test('says why for each source, and what to install, where none works', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.7.3');
    const path = `/releases/v3.7.3/etcd-v3.7.3-${PLATFORM}.tar.gz`;
    host.files.set(path, Buffer.concat([host.files.get(path) ?? Buffer.alloc(0), Buffer.from('x')]));
    const sources = [
      releases(host),
      createReleaseSource({ baseUrl: 'http://127.0.0.1:1', platform: 'linux', arch: process.arch }),
      createReleaseSource({ baseUrl: host.url, platform: 'darwin', arch: 'arm64' }),
      createReleaseSource({ baseUrl: `${host.url}/none`, platform: 'linux', arch: process.arch }),
    ];
    const failure: unknown = await installEtcd({ directory: place.path, what: '3.7', sources }, calm).catch(
      (e: unknown) => e,
    );
    expect(failure).toMatchObject({ code: 'unavailable' });
    const { message } = failure as Error;
    expect(message).toMatch(/but SHA256SUMS says .*cannot be reached.*zip.*answered 404.*install Go/s);
    expect(message).not.toContain('\n');
    expect(await readdir(place.path)).toEqual([]);
  });

  test('goes on with the next source', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.7.3');
    const sources = [
      createReleaseSource({ baseUrl: 'http://127.0.0.1:1', platform: 'linux', arch: process.arch }),
      releases(host),
    ];
    const done = await installEtcd({ directory: place.path, what: '3.7', sources }, calm);
    expect(done.failed).toHaveLength(1);
    expect(done.binary.version).toBe('3.7.3');
  });

  test('does not wait for a host that says nothing', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    host.handle = () => undefined;
    const install = installEtcd({ directory: place.path, what: '3.7', sources: [releases(host)] }, calm);
    await expect(install).rejects.toThrow('was silent for 5 s');
  });

  test('refuses what loses data, and what is not supported', async () => {
    const sources: InstallSource[] = [];
    for (const what of ['3.5.2', '3.4.20', '3.3', '4.0.0']) {
      const install = installEtcd({ directory: '/nowhere', what, sources }, calm);
      await expect(install).rejects.toMatchObject({ code: 'usage' });
    }
  });

  test('leaves nothing behind when it is interrupted', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.7.3');
    const stop = new AbortController();
    stallArchive(host, () => stop.abort());
    const install = installEtcd(
      { directory: place.path, what: '3.7', sources: [releases(host)] },
      stop.signal,
    );
    await expect(install).rejects.toMatchObject({ code: 'aborted' });
    expect(await readdir(place.path)).toEqual([]);
  });
});

describe('installations by processes', () => {
  test('two at once make one download, and both are done', async () => {
    await using host = await releaseHost();
    await using place = await temporaryDirectory();
    await publish(host, '3.5.35');
    const whole = host.handle;
    const both = Promise.withResolvers<void>();
    host.handle = (request, response) => void both.promise.then(() => whole(request, response));
    const first = installer(host, place.path);
    await eventually(() => host.asked.length === 1);
    const second = installer(host, place.path);
    let waits = '';
    second.stderr?.on('data', (chunk: Buffer) => (waits += chunk.toString('utf8')));
    await eventually(() => waits.includes('waiting'));
    both.resolve();
    expect(await Promise.all([codeOf(first), codeOf(second)])).toEqual([0, 0]);
    expect(host.asked.filter((path) => path.endsWith('.tar.gz'))).toHaveLength(1);
    expect(await readdir(place.path)).toEqual(['3.5.35']);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    '%s in the middle leaves no half version, and no lock',
    async (signal) => {
      await using host = await releaseHost();
      await using place = await temporaryDirectory();
      await publish(host, '3.5.35');
      const whole = host.handle;
      const begun = Promise.withResolvers<void>();
      stallArchive(host, () => begun.resolve());
      const killed = installer(host, place.path);
      await begun.promise;
      await endProcess(killed, signal);
      const { binaries, broken } = await listBinaries(place.path, calm);
      expect({ binaries, broken }).toEqual({ binaries: [], broken: [] });
      if (signal === 'SIGINT') expect(await readdir(place.path)).toEqual([]);
      host.handle = whole;
      expect(await codeOf(installer(host, place.path))).toBe(0);
      expect(await readdir(place.path)).toEqual(['3.5.35']);
    },
  );
});

/** Sends half of the archive, and then nothing. */
function stallArchive(host: ReleaseHost, onHalf: () => void): void {
  const whole = host.handle;
  host.handle = (request, response) => {
    const body = host.files.get(request.url ?? '');
    if (body === undefined || request.url?.endsWith('.tar.gz') !== true) return whole(request, response);
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, body.length / 2), onHalf);
  };
}

/** `etcd-appliance etcd install 3.5`, as a process of its own. */
function installer(host: ReleaseHost, directory: string): ChildProcess {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const args = [main, 'etcd', 'install', '3.5', '--dir', directory, '--base-url', host.url];
  // Without go and apt there is one source.
  const env = { PATH: '/nonexistent', HOME: directory };
  return spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function codeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}
