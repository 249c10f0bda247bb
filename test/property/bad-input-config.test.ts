import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_FILE } from '../../src/config-content.ts';
import { readYaml } from '../../src/config-file.ts';
import { KEYS } from '../../src/config-schema.ts';
import { loadConfig, readConfig } from '../../src/config.ts';
import type { Environment } from '../../src/config.ts';
import { collidingFlags } from '../../src/etcd/flags.ts';
import { hasCode } from '../../src/errors.ts';
import { runMain } from '../fakes/command.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { processorMs } from '../processor-time.ts';
import { temporaryDirectory } from '../tools.ts';

/*
 * Whatever stands in the file or the environment: a configuration, or every problem in a line of its own that names the
 * key, the value and what is allowed; never a crash, and never much work.
 */

const CHECKS = { collidingFlags, defaultEtcdDir: '/opt/etcd' };

/** The problems of a configuration; none where it is valid. Fails where anything else is thrown. */
function problemsOf(env: Environment, yaml: string | null): readonly string[] {
  const before = processorMs();
  try {
    readConfig(env, yaml === null ? NO_FILE : readYaml(yaml), CHECKS);
    return [];
  } catch (error) {
    if (!hasCode(error, 'configuration')) throw error;
    return error.details.problems;
  } finally {
    expect(processorMs() - before).toBeLessThan(5_000);
  }
}

function expectClear(problems: readonly string[]): void {
  expect(problems.length).toBeLessThanOrEqual(50);
  for (const problem of problems) {
    expect(problem).toMatch(/^\P{Cc}{10,600}$/u);
    expect(problem).not.toMatch(/\[object|TypeError|is not a function|Cannot read/);
  }
}

const word = fc.oneof(
  fc.constantFrom(
    'example.org',
    '90s',
    '3.6',
    'eu-central-1',
    '--x=1',
    '8080',
    '/a/b',
    'info',
    'Z012',
    'true',
    '~',
    '',
  ),
  fc.constantFrom(
    '0',
    '-1',
    '1e9',
    '99999999999999999999s',
    '/',
    '..',
    '/a/../..',
    'null',
    '\u0000',
    '\u001b[31m',
    '\u00e9',
  ),
  fc.string(),
  fc.string({ unit: 'binary' }),
);
const key = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<string>(...KEYS) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'HOSTED_ZON', '<<', '?', ''),
  },
  { weight: 1, arbitrary: word },
);

test('whatever the environment is, it is a configuration or clear problems', () => {
  fc.assert(
    fc.property(fc.dictionary(key, word), (env) => expectClear(problemsOf(env, null))),
    runs(300),
  );
});

describe('the file', () => {
  const scalar = fc.oneof(
    word.map((it) => JSON.stringify(it)),
    word,
    fc.constantFrom(
      '*a',
      '&a x',
      '!!binary x',
      '!!js/function x',
      '|',
      '>-',
      '[',
      '{a: 1}',
      '[a, [b]]',
      '- x',
      '? a',
      '2026-01-01',
    ),
  );
  const line = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(key, scalar).map(([name, value]) => `${name}: ${value}`) },
    { weight: 1, arbitrary: scalar },
    {
      weight: 1,
      arbitrary: fc.constantFrom('---', '...', '%YAML 9.9', '%TAG ! x', '\t', '# x', '<<: *a', '  - x'),
    },
  );

  test('whatever stands in it, it is a configuration or clear problems', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => expectClear(problemsOf({}, lines.join('\n')))),
      runs(400),
    );
  });

  test('whatever JSON stands in it, it is a configuration or clear problems', () => {
    const value = fc.dictionary(key, fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(value, fc.jsonValue()), (json) =>
        expectClear(problemsOf({}, JSON.stringify(json))),
      ),
      runs(150),
    );
  });

  const bomb = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`),
  ];
  test.each([
    ['aliases of aliases', `${bomb.join('\n')}\nACTIVE_REGIONS: *a30`],
    ['an alias of itself', 'ACTIVE_REGIONS: &a [*a]'],
    ['an alias of the whole', '&a\nHOSTED_ZONE: *a'],
    ['a merge of itself', 'x: &a\n  <<: *a'],
    ['lists in lists', `ACTIVE_REGIONS: ${'['.repeat(20_000)}`],
    ['maps in maps', `${'{a: '.repeat(20_000)}`],
    ['one key twice', 'STATUS_PORT: 1\nSTATUS_PORT: 2'],
    ['two documents', 'STATUS_PORT: 1\n---\nSTATUS_PORT: 2'],
    ['a list', '- STATUS_PORT'],
    ['a tag', 'STATUS_PORT: !!js/eval "1"'],
    ['a key that is a map', '{a: 1}: 2'],
    ['half a text', 'HOSTED_ZONE: "exam'],
    ['bytes that are no text', 'HOSTED_ZONE: \ufffd\ufffd'],
    ['many keys that are none', Array.from({ length: 1_500 }, (_, at) => `KEY_${at}: x`).join('\n')],
    ['a value of megabytes', `HOSTED_ZONE: ${'x'.repeat(900_000)}`],
    ['a key of megabytes', `${'x'.repeat(900_000)}: y`],
    ['prototypes', '__proto__: {STATUS_PORT: 1}\nconstructor: x'],
  ])('%s is refused in a few clear lines', (_, yaml) => {
    const problems = problemsOf({}, yaml);
    expect(problems.length).toBeGreaterThan(0);
    expectClear(problems);
  });

  test('a value of the environment of megabytes is refused in a clear line', () => {
    for (const name of KEYS) {
      const problems = problemsOf({ [name]: `${'9'.repeat(500_000)}!` }, null);
      expect(problems.length).toBeGreaterThan(0);
      expectClear(problems);
    }
  });

  test.each([
    ['is a directory', async (path: string) => mkdir(path)],
    ['is larger than any', async (path: string) => writeFile(path, `# ${'x'.repeat(3_000_000)}`)],
    [
      'is no UTF-8',
      async (path: string) => writeFile(path, Buffer.from([0x48, 0x3a, 0x20, 0xff, 0xfe, 0xc3])),
    ],
    ['is UTF-16', async (path: string) => writeFile(path, Buffer.from('\ufeffSTATUS_PORT: 80', 'utf16le'))],
    [
      'is a program',
      async (path: string) => writeFile(path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0])),
    ],
    ['is not there', async () => undefined],
  ])('a file that %s is one clear line', async (_, make) => {
    await using folder = await temporaryDirectory();
    const path = join(folder.path, 'config.yaml');
    await make(path);
    const failure: unknown = await loadConfig({}, path, CHECKS).catch((error: unknown) => error);
    if (!hasCode(failure, 'configuration')) throw failure;
    expect(failure.details.problems).toHaveLength(1);
    expectClear(failure.details.problems);
  });

  test.each([
    ['/dev/zero', 'a file without end'],
    ['/proc/self/fd/9999', 'a file that is gone'],
  ])('the program ends with 78 and a line at %s', async (path) => {
    const { code, err } = await runMain(['config', '--config', path]);
    expect(code).toBe(78);
    expect(err).toMatch(/^[^\n]*--config[^\n]*\n$/);
  });
});
