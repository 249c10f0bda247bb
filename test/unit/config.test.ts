import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NO_FILE } from '../../src/config-content.ts';
import { readYaml } from '../../src/config-file.ts';
import { describeConfig, loadConfig, readConfig } from '../../src/config.ts';
import type { ConfigChecks, Environment } from '../../src/config.ts';
import { exitCodeOf, hasCode } from '../../src/errors.ts';

const CHECKS: ConfigChecks = {
  collidingFlags: (flags) =>
    flags.filter((flag) => flag.startsWith('--name') || flag.startsWith('--data-dir')),
  defaultEtcdDir: '/opt/etcd',
};

function read(env: Environment, yaml: string | null = null) {
  return readConfig(env, yaml === null ? NO_FILE : readYaml(yaml), CHECKS);
}

function problemsOf(env: Environment, yaml: string | null = null): readonly string[] {
  try {
    read(env, yaml);
  } catch (error) {
    expect(exitCodeOf(error)).toBe(78);
    if (hasCode(error, 'configuration')) return error.details.problems;
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  test('has a default for everything', () => {
    expect(read({}).config).toEqual({
      hostedZone: null,
      activeRegions: [],
      advertise: null,
      etcdDir: '/opt/etcd',
      etcdVersion: null,
      dataDir: '/var/lib/etcd-appliance',
      listenAddress: null,
      statusPort: 2378,
      logLevel: 'info',
      housekeepingIntervalMs: 120_000,
      bootstrapWaitMs: 120_000,
      stackName: null,
      etcdExtraFlags: [],
    });
  });

  test('lacks a zone only where one is needed, and says so beside the other problems', () => {
    const lacking = (env: Environment, yaml: string | null = null): readonly string[] => {
      try {
        readConfig(env, yaml === null ? NO_FILE : readYaml(yaml), { ...CHECKS, needsZone: true });
      } catch (error) {
        if (hasCode(error, 'configuration')) return error.details.problems;
        throw error;
      }
      return [];
    };
    expect(lacking({ HOSTED_ZONE: ' ', STATUS_PORT: 'x' })).toEqual([
      expect.stringMatching(/^HOSTED_ZONE: none is configured; allowed is the name of a hosted zone/),
      expect.stringMatching(/^STATUS_PORT: "x"/),
    ]);
    expect(lacking({ HOSTED_ZONE: 'a..b' })).toEqual([expect.stringMatching(/^HOSTED_ZONE: "a\.\.b"/)]);
    expect(lacking({}, 'HOSTED_ZONE: [')).not.toContainEqual(expect.stringContaining('none is configured'));
    expect(lacking({}, 'HOSTED_ZONE: example.org')).toEqual([]);
    expect(lacking({ HOSTED_ZONE: 'example.org' })).toEqual([]);
  });

  test('reads every variable', () => {
    const { config, sources } = read({
      HOSTED_ZONE: 'Example.ORG.',
      ACTIVE_REGIONS: 'eu-central-1, us-gov-west-1,eu-central-1',
      ADVERTISE: 'public',
      ETCD_DIR: '/srv/etcd/',
      ETCD_VERSION: 'v3.6.16',
      DATA_DIR: '/data',
      LISTEN_ADDRESS: '127.78.1.10',
      STATUS_PORT: '8080',
      LOG_LEVEL: 'debug',
      HOUSEKEEPING_INTERVAL: '1.5m',
      BOOTSTRAP_WAIT: '500ms',
      STACK_NAME: 'etcd-prod',
      ETCD_EXTRA_FLAGS: '--quota-backend-bytes=8589934592  --log-outputs=a,b',
    });
    expect(config).toEqual({
      hostedZone: 'example.org',
      activeRegions: ['eu-central-1', 'us-gov-west-1'],
      advertise: 'public',
      etcdDir: '/srv/etcd',
      etcdVersion: '3.6.16',
      dataDir: '/data',
      listenAddress: '127.78.1.10',
      statusPort: 8080,
      logLevel: 'debug',
      housekeepingIntervalMs: 90_000,
      bootstrapWaitMs: 500,
      stackName: 'etcd-prod',
      etcdExtraFlags: ['--quota-backend-bytes=8589934592', '--log-outputs=a,b'],
    });
    expect(new Set(Object.values(sources))).toEqual(new Set(['environment']));
  });

  test('the environment goes before the file, and an empty value counts as none', () => {
    const yaml = 'LOG_LEVEL: warn\nSTATUS_PORT: 9000\nDATA_DIR:\nETCD_EXTRA_FLAGS:\n  - --max-wals=3\n';
    const { config, sources } = read({ LOG_LEVEL: 'error', STATUS_PORT: '' }, yaml);
    expect(config).toMatchObject({ logLevel: 'error', statusPort: 9000, etcdExtraFlags: ['--max-wals=3'] });
    expect(sources).toMatchObject({ LOG_LEVEL: 'environment', STATUS_PORT: 'file', DATA_DIR: 'default' });
  });

  test('takes scalars of the file as they are written, and lists', () => {
    const { config } = read(
      {},
      'STACK_NAME: no\nACTIVE_REGIONS: [eu-west-1, eu-central-1]\nETCD_VERSION: 3.5\n',
    );
    expect(config).toMatchObject({
      stackName: 'no',
      activeRegions: ['eu-west-1', 'eu-central-1'],
      etcdVersion: '3.5',
    });
    expect(problemsOf({}, 'ETCD_VERSION: 3.10')).toEqual([
      expect.stringContaining('ETCD_VERSION: "3.10" (file)'),
    ]);
  });

  test.each(['Z0123456789ABC', '/hostedzone/Z0123456789ABC'])('takes the zone id %s', (zone) => {
    expect(read({ HOSTED_ZONE: zone }).config.hostedZone).toBe('Z0123456789ABC');
  });

  test.each(['', '# nothing yet\n', '---\n'])('an empty file is no problem: %j', (yaml) => {
    expect(read({}, yaml).config.statusPort).toBe(2378);
  });

  test('is frozen all through', () => {
    const { config } = read({ ACTIVE_REGIONS: 'eu-central-1' });
    expect(() => Object.assign(config, { statusPort: 1 })).toThrow(TypeError);
    expect(() => (config.activeRegions as string[]).push('x')).toThrow(TypeError);
  });
});

describe('problems', () => {
  test('are listed together, one line each: what, value, what is allowed', () => {
    const problems = problemsOf(
      { STATUS_PORT: '99999', BOOTSTRAP_WAIT: '90', DATA_DIR: 'data', ETCD_EXTRA_FLAGS: '--name=x' },
      'LOG_LEVEL: loud\nLOG_LEVELS: info\n',
    );
    expect(problems).toEqual([
      '"LOG_LEVELS" in the file is no known key; allowed are LOG_LEVEL',
      expect.stringMatching(/^DATA_DIR: "data" \(environment\) is not allowed; allowed is an absolute path/),
      expect.stringMatching(/^STATUS_PORT: "99999" \(environment\) is not allowed; allowed is a port/),
      'LOG_LEVEL: "loud" (file) is not allowed; allowed is debug, info, warn or error',
      expect.stringMatching(/^BOOTSTRAP_WAIT: "90" \(environment\) is not allowed; allowed is a duration/),
      expect.stringMatching(/^ETCD_EXTRA_FLAGS: "--name=x" is set by the appliance; allowed are/),
    ]);
    expect(problems.every((problem) => !problem.includes('\n'))).toBe(true);
  });

  test.each([
    { HOSTED_ZONE: 'not a zone' },
    { HOSTED_ZONE: 'a..b' },
    { HOSTED_ZONE: '.' },
    { ACTIVE_REGIONS: 'eu-central-1,moon' },
    { ACTIVE_REGIONS: ', ,' },
    { ADVERTISE: 'both' },
    { STACK_NAME: 'etcd-' },
    { STACK_NAME: '1etcd' },
    { STACK_NAME: 'etcd_prod' },
    { ETCD_DIR: '/' },
    { ETCD_VERSION: '3.3' },
    { ETCD_VERSION: 'latest' },
    { ETCD_EXTRA_FLAGS: 'quota' },
    { ETCD_EXTRA_FLAGS: '--max-wals 5' },
    { LISTEN_ADDRESS: 'localhost' },
    { STATUS_PORT: '0' },
    { STATUS_PORT: '2379' },
    { STATUS_PORT: '2380' },
    { STATUS_PORT: '0x10' },
    { HOUSEKEEPING_INTERVAL: '0s' },
    { HOUSEKEEPING_INTERVAL: '-5s' },
    { HOUSEKEEPING_INTERVAL: '2h' },
    { BOOTSTRAP_WAIT: '2 m' },
    { DATA_DIR: '/srv/etcd/data', ETCD_DIR: '/srv/etcd' },
    { DATA_DIR: '/srv', ETCD_DIR: '/srv/../srv/etcd' },
  ])('refuses %o', (env) => {
    expect(problemsOf(env)).toHaveLength(1);
  });

  test.each([
    { yaml: '- a\n- b\n', said: /allowed are lines of KEY: value/ },
    { yaml: 'just text', said: /allowed are lines of KEY: value/ },
    { yaml: 'LOG_LEVEL: info\nLOG_LEVEL: warn\n', said: /Map keys must be unique/ },
    { yaml: 'LOG_LEVEL: [', said: /^the file: / },
    { yaml: 'LOG_LEVEL: {a: b}', said: /^LOG_LEVEL: \{"a":"b"\} \(file\)/ },
    { yaml: '__proto__: {}\n', said: /"__proto__" in the file is no known key/ },
  ])('refuses the file $yaml', ({ yaml, said }) => {
    expect(problemsOf({}, yaml)).toEqual([expect.stringMatching(said)]);
  });

  test('the value of an unknown key is not repeated: it may be a secret', () => {
    expect(problemsOf({}, 'PASSWORD: hunter2').join()).not.toContain('hunter2');
  });
});

describe('notices', () => {
  test('name what is set in vain, and nothing else', () => {
    const { notices } = read({
      HOSTED_ZONES: 'x',
      ETCD_QUOTA_BACKEND_BYTES: '1',
      HOME: '/root',
      PATH: '/bin',
    });
    expect(notices).toEqual([
      'ETCD_QUOTA_BACKEND_BYTES is not handed on to etcd; use ETCD_EXTRA_FLAGS',
      'HOSTED_ZONES is not read; did you mean HOSTED_ZONE?',
    ]);
  });
});

describe('describeConfig', () => {
  test('shows every key with its source, and no secret', () => {
    const env = {
      STATUS_PORT: '8080',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI',
      AWS_ENDPOINT_URL: 'http://user:hunter2@127.0.0.1:4566',
    };
    const rows = describeConfig(read(env, 'LOG_LEVEL: debug'), env);
    expect(rows).toContainEqual({ key: 'STATUS_PORT', value: '8080', source: 'environment' });
    expect(rows).toContainEqual({ key: 'LOG_LEVEL', value: 'debug', source: 'file' });
    expect(rows).toContainEqual({ key: 'BOOTSTRAP_WAIT', value: '120s', source: 'default' });
    expect(rows).toContainEqual({
      key: 'AWS_ENDPOINT_URL',
      value: 'http://127.0.0.1:4566',
      source: 'environment',
    });
    expect(rows).toHaveLength(14);
    expect(JSON.stringify(rows)).not.toMatch(/wJalr|hunter2/);
  });
});

describe('loadConfig', () => {
  test('reads the file', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'config-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, 'appliance.yaml');
    await writeFile(file, 'STATUS_PORT: 8081\n');
    expect((await loadConfig({}, file, CHECKS)).config.statusPort).toBe(8081);
  });

  test('a file that cannot be read is a problem of the configuration', async () => {
    const failure = await loadConfig({}, '/nowhere/appliance.yaml', CHECKS).catch((error: unknown) => error);
    expect(exitCodeOf(failure)).toBe(78);
    expect(String(failure)).toContain('"/nowhere/appliance.yaml" cannot be read');
  });
});
