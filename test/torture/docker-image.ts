import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { DEBIAN_ARCHIVE, etcdBinary, TESTED_MINORS } from '../tools.ts';
import { type Engine, startEngine } from './docker-engine.ts';

/** The image under test. */
export const IMAGE = 'etcd-appliance';
/** What it is built on: the smallest Debian, and that with Node and npm in it, as the official image has them. */
export const BASE = 'debian:bookworm';
const NODE = 'node:24';

/** What its labels shall say. */
export const LABELS = {
  VERSION: '1.2.3-test',
  REVISION: '0123456789abcdef',
  CREATED: '2026-11-22T00:00:00Z',
  SOURCE: 'https://example.org/etcd-appliance',
  LICENSES: 'Apache-2.0',
} as const;

const ROOT = join(import.meta.dirname, '../..');
/** What is in a work tree and is large; the rest is for .dockerignore to leave out. */
const LARGE: readonly string[] = ['node_modules', '.git', 'dist', 'coverage'];

/**
 * Builds the image as docs/image.md says for machines that reach no registry of images, and leaves it in the engine's
 * directory, with its bases. `context` is an empty folder for what the builder is given.
 */
export async function buildImage(directory: string, context: string): Promise<void> {
  await using engine = await startEngine({ directory, outside: true });
  await engine.docker(['import', DEBIAN_ARCHIVE, BASE]);
  await copyTree(join(context, 'tree'));
  await buildNode(engine, join(context, 'node'));
  await using releases = await serveReleases();
  const versions = await Promise.all(TESTED_MINORS.map(async (minor) => (await etcdBinary(minor)).version));
  const { stdout: registry } = await execa('npm', ['config', 'get', 'registry']);
  const values = {
    NODE_IMAGE: NODE,
    RUNTIME_IMAGE: BASE,
    NPM_CONFIG_REGISTRY: registry,
    ETCD_RELEASES_URL: releases.url,
    ETCD_VERSIONS: versions.join(' '),
    ...LABELS,
  };
  const given = Object.entries(values).map(([name, value]) => `--build-arg=${name}=${value}`);
  const file = join(context, 'tree/docker/Dockerfile');
  await engine.docker([
    'build',
    '--network=host',
    `--tag=${IMAGE}`,
    `--file=${file}`,
    ...given,
    join(context, 'tree'),
  ]);
}

/** What the official image of Node is, as far as the build uses it: made of the Node and the npm that run here. */
async function buildNode(engine: Engine, folder: string): Promise<void> {
  const { stdout: command } = await execa('sh', ['-c', 'command -v npm']);
  // It is a link to bin/npm-cli.js of the package.
  const npm = dirname(dirname(await realpath(command)));
  await mkdir(folder, { recursive: true });
  await cp(process.execPath, join(folder, 'node'));
  await cp(npm, join(folder, 'npm'), { recursive: true });
  const lines = [
    `FROM ${BASE}`,
    'COPY node /usr/local/bin/',
    'COPY npm /usr/local/lib/node_modules/npm',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
  ];
  await writeFile(join(folder, 'Dockerfile'), `${lines.join('\n')}\n`);
  await engine.docker(['build', `--tag=${NODE}`, folder]);
}

/** The work tree as it is, with this machine's own certificates where they belong, and what no builder may get. */
async function copyTree(folder: string): Promise<void> {
  await cp(ROOT, folder, {
    recursive: true,
    filter: (path) => !LARGE.includes(path.slice(ROOT.length + 1)),
  });
  await writeFile(join(folder, 'secret.env'), 'AWS_SECRET_ACCESS_KEY=not-for-you\n');
  const certificates = process.env['NODE_EXTRA_CA_CERTS'];
  if (certificates !== undefined) await cp(certificates, join(folder, 'docker/ca/machine.crt'));
}

/** A mirror of etcd's releases, where the builder reaches it. */
async function serveReleases(): Promise<{ readonly url: string } & AsyncDisposable> {
  const program = join(import.meta.dirname, 'docker-releases.ts');
  const outside = `--net=/proc/${process.ppid}/ns/net`;
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    'nsenter',
    [outside, '--', process.execPath, program],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  for await (const url of createInterface({ input: child.stdout })) {
    const ended = once(child, 'exit');
    const close = async (): Promise<void> => {
      child.stdin.end();
      await ended;
    };
    return { url, [Symbol.asyncDispose]: close };
  }
  throw new Error('no mirror of releases');
}
