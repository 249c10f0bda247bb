import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const HOME = tmpdir();
let folder = '';

beforeAll(async () => {
  // Outside the project: no node_modules is found from there.
  folder = await mkdtemp(path.join(tmpdir(), 'build-'));
  await run(process.execPath, ['.ci/build.ts', path.join(folder, 'dist')]);
});

afterAll(async () => rm(folder, { recursive: true, force: true }));

/** Runs the built program without anything else of the project. */
async function built(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [path.join(folder, 'dist/main.js'), ...args], {
    cwd: folder,
    env: { HOME, ETCD_DIR: path.join(folder, 'no-etcd') },
  });
  return stdout;
}

/** The source files that a built file carries, with those that it imports statically. */
async function sourcesOf(file: string, seen = new Set<string>()): Promise<ReadonlySet<string>> {
  if (seen.has(file)) return new Set();
  seen.add(file);
  const text = await readFile(path.join(folder, 'dist', file), 'utf8');
  const sources = new Set(
    [...text.matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map((match) => match[1] ?? ''),
  );
  for (const match of text.matchAll(/^(?:import|\} from) ?.*?"\.\/([\w.-]+\.js)";$/gm)) {
    for (const source of await sourcesOf(match[1] ?? '', seen)) sources.add(source);
  }
  return sources;
}

describe('the built program', () => {
  test('works without node_modules', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await built('--version')).toBe(`${version}\n`);
    expect(await built('config')).toMatch(/STATUS_PORT +2378 +default/);
    expect(await built('etcd', 'list')).toContain('no etcd in');
    expect(await built('sandbox', '--help')).toContain('Usage: etcd-appliance sandbox');
  });

  test('loads all that `run` needs', async () => {
    const failure = await run(process.execPath, [path.join(folder, 'dist/main.js'), 'run'], {
      env: { HOME, STATUS_PORT: 'x' },
    }).catch((error: { code: number; stderr: string }) => error);
    expect(failure).toMatchObject({ code: 78, stderr: expect.stringContaining('STATUS_PORT: "x"') });
  });

  test('finds the compiled form of all that `run` loads beside it', async () => {
    const kept = async () => (await readdir(path.join(folder, 'dist/cache'), { recursive: true })).length;
    const before = await kept();
    expect(before).toBeGreaterThan(1);
    await run(process.execPath, [path.join(folder, 'dist/main.js'), 'run'], {
      env: { HOME, STATUS_PORT: 'x' },
    }).catch(() => undefined);
    expect(await kept()).toBe(before);
  });

  test('has the protocol of etcd, and of EC2 only the shapes that are asked for', async () => {
    const files = await readdir(path.join(folder, 'dist'));
    const texts = await Promise.all(
      files.filter((it) => it.endsWith('.js')).map((it) => readFile(path.join(folder, 'dist', it), 'utf8')),
    );
    const all = texts.join('\n');
    expect(all).toContain('MemberPromoteRequest');
    expect(all).toContain('PrivateIpAddress');
    expect(all).not.toContain('CreateTransitGatewayRequest');
  });

  test('carries nothing of the sandbox for `run`', async () => {
    const files = await readdir(path.join(folder, 'dist'));
    const runFile = files.find((file) => /^run-\w+\.js$/.test(file)) ?? 'missing';
    const sources = [...(await sourcesOf(runFile)), ...(await sourcesOf('cli.js'))];
    expect(sources).toContain('src/cli/run.ts');
    expect(sources).toContain('src/errors.ts');
    expect(
      sources.filter(
        (source) => source.includes('src/sandbox/') || source.includes('fast-xml-parser/src/xmlbuilder'),
      ),
    ).toEqual([]);
  });
});
