import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/*
 * Plants one violation of each rule of design.md section 3 into a tree of its own and sees the linter refuse it, with
 * this project's own rules. The opposite, too: what each layer may import passes.
 */

interface Case {
  readonly file: string;
  readonly code: string;
  /** The rule that must refuse it; null: it must pass. */
  readonly rule: string | null;
}

const IMPORTS = 'no-restricted-imports';

/** Imports that each file may and may not have. */
const LAYERS: readonly { file: string; may: readonly string[]; mayNot: readonly string[] }[] = [
  {
    file: 'src/core/planted.ts',
    may: ['./fleet.ts'],
    mayNot: [
      '../errors.ts',
      '../aws/x.ts',
      '../daemon/x.ts',
      '../etcd/x.ts',
      'node:fs',
      'node:timers/promises',
      'zod',
      'etcd3',
    ],
  },
  {
    file: 'src/errors.ts',
    may: ['./core/known.ts', 'node:util'],
    mayNot: ['./config.ts', './http/log.ts', 'zod', 'node:fs'],
  },
  {
    file: 'src/config.ts',
    may: ['./core/known.ts', './errors.ts', 'zod/mini', 'yaml', 'node:fs/promises'],
    mayNot: ['./etcd/flags.ts', './app.ts', './http/log.ts', 'pino', 'node:process'],
  },
  {
    file: 'src/aws/planted.ts',
    may: ['./fleet.ts', '../core/fleet.ts', '../errors.ts', '@aws-sdk/client-ec2', 'node:http'],
    mayNot: [
      '../etcd/x.ts',
      '../daemon/ports.ts',
      '../http/log.ts',
      '../config.ts',
      '../sandbox/x.ts',
      'etcd3',
      'execa',
      'pino',
    ],
  },
  {
    file: 'src/etcd/planted.ts',
    may: ['./flags.ts', '../core/members.ts', '../errors.ts', 'etcd3', 'execa', 'tar', 'node:fs/promises'],
    mayNot: [
      '../aws/x.ts',
      '../daemon/ports.ts',
      '../http/log.ts',
      '../config.ts',
      '@aws-sdk/client-ec2',
      'pino',
    ],
  },
  {
    file: 'src/http/planted.ts',
    may: ['./face.ts', '../core/birth.ts', '../errors.ts', 'node:http'],
    mayNot: ['../aws/x.ts', '../etcd/x.ts', '../daemon/x.ts', '../config.ts', 'prom-client', 'pino', 'zod'],
  },
  { file: 'src/http/log.ts', may: ['pino', 'pino-pretty'], mayNot: ['prom-client', '../daemon/ports.ts'] },
  { file: 'src/http/metrics.ts', may: ['prom-client'], mayNot: ['pino', '../daemon/ports.ts'] },
  {
    file: 'src/daemon/planted.ts',
    may: ['./ports.ts', '../core/fleet.ts', '../errors.ts'],
    mayNot: [
      '../aws/x.ts',
      '../etcd/x.ts',
      '../http/log.ts',
      '../config.ts',
      'node:timers/promises',
      'node:crypto',
      'execa',
      'etcd3',
      'node-cron',
    ],
  },
  {
    file: 'src/sandbox/planted.ts',
    may: [
      './model.ts',
      '../core/fleet.ts',
      '../errors.ts',
      '../etcd/flags.ts',
      'dns-packet',
      'execa',
      'fast-xml-parser',
      'node:http',
    ],
    mayNot: [
      '../aws/x.ts',
      '../daemon/x.ts',
      '../http/log.ts',
      '../config.ts',
      '../app.ts',
      'etcd3',
      '@aws-sdk/client-ec2',
    ],
  },
  {
    file: 'src/app.ts',
    may: [
      './config.ts',
      './errors.ts',
      './core/x.ts',
      './daemon/x.ts',
      './aws/x.ts',
      './etcd/x.ts',
      './http/x.ts',
      'node:fs',
    ],
    mayNot: ['./sandbox/x.ts', './cli/x.ts', './main.ts', 'etcd3', '@aws-sdk/client-ec2', 'commander'],
  },
  {
    file: 'src/cli/planted.ts',
    may: ['./load.ts', '../app.ts', '../config.ts', '../errors.ts', 'commander', 'cli-table3', 'node:os'],
    mayNot: ['../sandbox/x.ts', '../daemon/x.ts', '../aws/x.ts', '../main.ts', 'execa', 'etcd3'],
  },
  {
    file: 'src/cli/sandbox.ts',
    may: ['../sandbox/x.ts'],
    mayNot: ['../daemon/x.ts', '../aws/x.ts', 'etcd3'],
  },
  {
    file: 'src/main.ts',
    may: ['./cli/run.ts', './errors.ts', 'commander'],
    mayNot: ['./sandbox/x.ts', './aws/x.ts', 'execa'],
  },
];

const importCases: readonly Case[] = LAYERS.flatMap(({ file, may, mayNot }) => [
  ...may.map((from) => ({ file, code: `import { x } from '${from}';\nexport const y = x;\n`, rule: null })),
  ...mayNot.map((from) => ({
    file,
    code: `import { x } from '${from}';\nexport const y = x;\n`,
    rule: IMPORTS,
  })),
]);

/** Ways around the layers, each from a core file to `aws`. */
const trickCases: readonly Case[] = [
  {
    file: 'src/core/t1.ts',
    code: `import type { X } from '../aws/x.ts';\nexport type Y = X;\n`,
    rule: IMPORTS,
  },
  { file: 'src/core/t2.ts', code: `export { x } from '../aws/x.ts';\n`, rule: IMPORTS },
  { file: 'src/core/t3.ts', code: `export const y = async () => import('../aws/x.ts');\n`, rule: IMPORTS },
  {
    file: 'src/core/t4.ts',
    code: `import { x } from './../aws/x.ts';\nexport const y = x;\n`,
    rule: IMPORTS,
  },
  {
    file: 'src/core/t5.ts',
    code: `import { x } from '../core/../aws/x.ts';\nexport const y = x;\n`,
    rule: IMPORTS,
  },
  { file: 'src/core/t6.ts', code: `import '../aws/x.ts';\n`, rule: IMPORTS },
  {
    file: 'src/core/t7.ts',
    code: `export type Y = import('../aws/x.ts').X;\n`,
    rule: 'consistent-type-imports',
  },
  {
    file: 'src/aws/t8.ts',
    code: `import { x } from '../core/../etcd/x.ts';\nexport const y = x;\n`,
    rule: IMPORTS,
  },
];

const purityCases: readonly Case[] = ['src/core/planted.ts', 'src/daemon/planted.ts'].flatMap((file) => [
  { file, code: 'export const y = Date.now();\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = new Date();\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = performance.now();\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = setTimeout(String, 1);\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = setInterval(String, 1);\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = setImmediate(String);\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = globalThis.setTimeout(String, 1);\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = crypto.randomUUID();\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = fetch("http://x");\n', rule: 'no-restricted-globals' },
  { file, code: 'export const y = Math.random();\n', rule: 'no-restricted-properties' },
  { file, code: 'export const y = AbortSignal.timeout(1);\n', rule: 'no-restricted-properties' },
  { file, code: 'export const y = process.pid;\n', rule: 'no-restricted-globals' },
]);

const houseCases: readonly Case[] = [
  { file: 'src/http/planted.ts', code: 'export const y = process.env;\n', rule: 'no-process-env' },
  { file: 'src/aws/planted.ts', code: `export const y = process['env'];\n`, rule: 'no-process-env' },
  { file: 'src/aws/planted.ts', code: `export const { env } = process;\n`, rule: 'no-restricted-properties' },
  { file: 'src/app.ts', code: 'export const y = process.env.HOME;\n', rule: 'no-process-env' },
  { file: 'src/config.ts', code: 'export const y = process.env;\n', rule: null },
  { file: 'src/cli/planted.ts', code: 'export const y = process.env;\n', rule: null },
  { file: 'src/sandbox/planted.ts', code: 'export const y = process.env;\n', rule: null },
  { file: 'src/config.ts', code: 'process.exit(1);\n', rule: 'no-restricted-properties' },
  { file: 'src/cli/planted.ts', code: 'process.exit(1);\n', rule: 'no-restricted-properties' },
  { file: 'src/sandbox/planted.ts', code: `process['exit'](1);\n`, rule: 'no-restricted-properties' },
  { file: 'src/main.ts', code: 'process.exit(1);\n', rule: null },
  { file: 'src/aws/planted.ts', code: 'export default 1;\n', rule: 'no-default-export' },
  { file: 'src/aws/planted.ts', code: `export * from './fleet.ts';\n`, rule: 'no-barrel-file' },
  { file: 'src/aws/planted.ts', code: 'export const y: any = 1;\n', rule: 'no-explicit-any' },
  {
    file: 'src/aws/planted.ts',
    code: 'export const y = (x: string | null) => x!;\n',
    rule: 'no-non-null-assertion',
  },
  { file: 'src/aws/planted.ts', code: 'console.log(1);\n', rule: 'no-console' },
];

const CASES = [...importCases, ...trickCases, ...purityCases, ...houseCases];

let root = '';
/** By directory of the case: the rules that refused it. */
const refusals = new Map<string, Set<string>>();

interface Report {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string }[];
}

async function lint(directory: string, ...args: readonly string[]): Promise<Report> {
  const bin = path.resolve('node_modules/.bin/oxlint');
  const run = promisify(execFile)(bin, ['-f', 'json', ...args], {
    cwd: directory,
    maxBuffer: 64 * 1024 * 1024,
  });
  // It ends with 1 where it found something.
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return JSON.parse(stdout) as Report;
}

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'layers-'));
  for (const [index, { file, code }] of CASES.entries()) {
    const folder = path.join(root, `case-${index}`);
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), code);
    await cp('.oxlintrc.json', path.join(folder, '.oxlintrc.json'));
  }
  const { diagnostics } = await lint(root, '.');
  for (const { code, filename } of diagnostics) {
    const directory = filename.split('/', 1)[0] ?? '';
    refusals.set(directory, (refusals.get(directory) ?? new Set()).add(code.replace(/^.*\((.*)\)$/, '$1')));
  }
}, 60_000);

afterAll(async () => rm(root, { recursive: true, force: true }));

describe('the linter', () => {
  test.each(CASES.map((one, index) => ({ ...one, index, said: one.code.trim().replaceAll('\n', ' ') })))(
    '$file: $said -> $rule',
    ({ rule, index }) => {
      const rules = [...(refusals.get(`case-${index}`) ?? [])];
      if (rule === null) expect(rules).toEqual([]);
      else expect(rules).toContain(rule);
    },
  );

  test('sees a cycle', async () => {
    const folder = path.join(root, 'cycle');
    await mkdir(path.join(folder, 'src/core'), { recursive: true });
    await cp('.oxlintrc.json', path.join(folder, '.oxlintrc.json'));
    await writeFile(
      path.join(folder, 'src/core/a.ts'),
      `import { b } from './b.ts';\nexport const a = () => b;\n`,
    );
    await writeFile(
      path.join(folder, 'src/core/b.ts'),
      `import { a } from './a.ts';\nexport const b = () => a;\n`,
    );
    const { diagnostics } = await lint(folder, 'src');
    expect(diagnostics.map(({ code }) => code)).toContain('import(no-cycle)');
  });
});
