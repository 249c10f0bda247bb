import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runMain as main } from '../fakes/command.ts';
import { freePort } from '../tools.ts';

const VERBS = ['run', 'plan', 'config', 'health', 'claim', 'upgrade', 'etcd', 'sandbox', 'demo', 'version'];

describe('verbs', () => {
  test('version and --version say that of package.json', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await main(['version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
    expect(await main(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  test('--help lists every verb, and exits 0', async () => {
    const { code, out } = await main(['--help']);
    expect(code).toBe(0);
    for (const verb of VERBS) {
      expect(out).toMatch(new RegExp(`^  ${verb} `, 'm'));
    }
  });

  test.each(VERBS.filter((verb) => verb !== 'version'))('%s is there, and has help', async (verb) => {
    const { code, out, err } = await main([verb, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Usage: etcd-appliance ${verb}`);
    expect((await main(['help', verb])).out).toBe(out);
  });

  test('config prints each value with its source', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'main-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, 'c.yaml');
    await writeFile(file, 'LOG_LEVEL: debug\n');
    const { code, out, err } = await main(['config', '--config', file], {
      HOSTED_ZONE: 'example.org',
      STATUS_PORT: '8080',
      ETCD_NAME: 'x',
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^STATUS_PORT +8080 +environment$/m);
    expect(out).toMatch(/^LOG_LEVEL +debug +file$/m);
    expect(out).toMatch(/^BOOTSTRAP_WAIT +120s +default$/m);
    expect(err).toBe('note: ETCD_NAME is not handed on to etcd; use ETCD_EXTRA_FLAGS\n');
    const json = await main(['config', '--json'], { STATUS_PORT: '8080' });
    expect(JSON.parse(json.out)).toContainEqual({ key: 'STATUS_PORT', value: '8080', source: 'environment' });
    expect(json.err).toBe('note: HOSTED_ZONE is not set: run and plan end with 78\n');
  });
});

describe('an empty value', () => {
  test.each([
    ['etcd', 'list'],
    ['etcd', 'install'],
    ['sandbox', 'start'],
  ])('counts as not given by %s %s, too', async (...words) => {
    const help = [...words, '--help'];
    const { code, out } = await main(help, { ETCD_DIR: '', ETCD_RELEASES_URL: '' });
    expect({ code, out }).toEqual({ code: 0, out: (await main(help)).out });
  });
});

describe('exit codes', () => {
  test.each([
    { words: [], said: 'Usage: etcd-appliance' },
    { words: ['bogus'], said: "unknown command 'bogus'" },
    { words: ['--bogus'], said: "unknown option '--bogus'" },
    { words: ['config', '--bogus'], said: "unknown option '--bogus'" },
    { words: ['config', 'too', 'many'], said: 'too many arguments' },
    { words: ['config', '--config'], said: 'argument missing' },
    { words: ['claim'], said: 'Usage: etcd-appliance claim' },
    { words: ['claim', 'release'], said: "missing required argument 'name'" },
    { words: ['etcd', 'install'], said: "missing required argument 'version'" },
    { words: ['upgrade', '--to', 'newest'], said: '--to "newest" is no version of etcd' },
    { words: ['upgrade', 'demo', '--endpoint', '10.0.0.1'], said: 'contradict each other' },
    {
      words: ['upgrade', '--refresh', '--endpoint', '10.0.0.1'],
      said: 'upgrade NAME --refresh, with the name of the cluster',
    },
    { words: ['sandbox', 'cut', '--region', 'eu-west-1', '--only', 'i-1'], said: 'a whole region' },
    { words: ['sandbox', 'scale', ''], said: '"" is no number' },
    { words: ['sandbox', 'events', '--since', ' '], said: '" " is no number' },
    { words: ['sandbox', 'terminate', ''], said: '"" names no instance' },
    { words: ['sandbox', 'power-cut', 'i-'], said: '"i-" names no instance' },
    { words: ['etcd', 'list', '--dir', ''], said: '"" is no folder' },
    { words: ['demo', '--program', '/nonexist'], said: '--program "/nonexist" is no file' },
  ])('$words is a usage error: 64', async ({ words, said }) => {
    const { code, out, err } = await main(words);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(said);
  });

  test.each([
    { words: ['--size', '20'], said: '--size 20 is not from --min 0 to --max 9' },
    { words: ['--min', '5', '--max', '2'], said: '--size 3 is not from --min 5 to --max 2' },
    { words: ['--size', ''], said: ' is no number of instances' },
    { words: ['--size', '3,2'], said: '--size 3,2: give one number for all groups, or one for each of 1' },
    { words: ['--regions', 'here'], said: 'here is no region' },
    { words: ['--stack', ''], said: '--stack "" is not allowed' },
    { words: ['--zone', 'a b'], said: '--zone "a b" is not allowed' },
    { words: ['--program', '/nonexist'], said: '--program "/nonexist" is no file that can be read' },
    { words: ['--etcd-version', '9'], said: '--etcd-version "9" is not allowed' },
    { words: ['--etcd-dir', '/nonexist'], said: '--etcd-dir "/nonexist" is no folder' },
    { words: ['--network', ''], said: '--network "" is no network' },
    { words: ['--network', '127.300'], said: '--network "127.300" is no network' },
    { words: ['--env', 'X'], said: 'X is no variable' },
  ])('sandbox start $words: one line, 64', async ({ words, said }) => {
    const { code, out, err } = await main(['sandbox', 'start', ...words]);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(said);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each(['run', 'plan', 'config', 'health', 'claim show'])(
    '%s with a bad configuration: 78, every problem a line',
    async (verb) => {
      const { code, out, err } = await main(verb.split(' '), {
        HOSTED_ZONE: 'example.org',
        STATUS_PORT: 'x',
        DATA_DIR: 'relative',
        ETCD_EXTRA_FLAGS: '--initial-cluster-token=mine',
      });
      expect({ code, out }).toEqual({ code: 78, out: '' });
      expect(err.trimEnd().split('\n')).toEqual([
        expect.stringMatching(/^etcd-appliance: DATA_DIR: "relative" \(environment\)/),
        expect.stringMatching(/^etcd-appliance: STATUS_PORT: "x" \(environment\)/),
        expect.stringMatching(
          /^etcd-appliance: ETCD_EXTRA_FLAGS: "--initial-cluster-token=mine" is set by the appliance/,
        ),
      ]);
    },
  );

  test.each(['run', 'plan'])(
    '%s without a zone: 78 with every other problem, and nothing is asked',
    async (verb) => {
      const { code, out, err } = await main([verb], { STATUS_PORT: 'x' });
      expect({ code, out }).toEqual({ code: 78, out: '' });
      expect(err.trimEnd().split('\n')).toEqual([
        expect.stringMatching(/^etcd-appliance: HOSTED_ZONE: none is configured/),
        expect.stringMatching(/^etcd-appliance: STATUS_PORT: "x"/),
      ]);
    },
  );

  test('plan on a machine that is no instance: 69, and why', async () => {
    const { code, out, err } = await main(['plan'], {
      HOSTED_ZONE: 'example.org',
      DATA_DIR: '/nowhere/at/all',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    });
    expect({ code, out }).toEqual({ code: 69, out: '' });
    expect(err).toMatch(/^etcd-appliance: .*ECONNREFUSED/m);
  });

  test('a relative folder of etcd is meant from here: what builds or runs it may be elsewhere', async () => {
    const [named, configured] = await Promise.all([
      main(['etcd', 'list', '--json', '--dir', 'no/such']),
      main(['etcd', 'list', '--json'], { ETCD_DIR: 'no/such' }),
    ]);
    for (const { out } of [named, configured])
      expect(JSON.parse(out)).toMatchObject({ directory: path.resolve('no/such') });
  });

  test('etcd list of what is no folder: 78, and one line', async () => {
    const { code, out, err } = await main(['etcd', 'list', '--dir', 'package.json']);
    expect({ code, out }).toEqual({ code: 78, out: '' });
    expect(err).toMatch(/^etcd-appliance: ETCD_DIR: ".*" is no folder that can be read .*\n$/);
  });

  test('a configuration file that is not there: 78', async () => {
    const { code, err } = await main(['config', '--config', '/nowhere.yaml']);
    expect(code).toBe(78);
    expect(err).toContain('"/nowhere.yaml" cannot be read');
  });

  test('claim show without a zone: 78; with AWS away: 69', async () => {
    expect((await main(['claim', 'show', 'demo'])).code).toBe(78);
    const away = await main(['claim', 'show', 'demo'], {
      HOSTED_ZONE: 'example.org',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
    });
    expect(away.code).toBe(69);
    expect(away.err).toMatch(/^etcd-appliance: Route 53.*ECONNREFUSED/);
  });

  test('a reader that goes away is no failure', async () => {
    const child = spawn(process.execPath, ['src/main.ts', 'config'], {
      env: { HOME: tmpdir(), HOSTED_ZONE: 'example.org' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });
});

describe('run', () => {
  /** The appliance where metadata does not answer, and the messages of its log as they come. */
  function startRun() {
    const child = spawn(process.execPath, ['src/main.ts', 'run'], {
      env: {
        HOME: tmpdir(),
        HOSTED_ZONE: 'example.org',
        AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return { child, lines: createInterface({ input: child.stdout }) };
  }

  test('logs JSON lines, and ends in order with 0 when it is told to while it waits', async () => {
    const { child, lines } = startRun();
    const messages: unknown[] = [];
    for await (const line of lines) {
      const { msg } = JSON.parse(line) as { msg: string };
      messages.push(msg);
      if (msg === 'does not answer yet') child.kill('SIGTERM');
    }
    if (child.exitCode === null) await once(child, 'exit');
    expect(messages[0]).toBe('starting');
    expect(messages.slice(-2)).toEqual([
      'stopping in order; SIGINT from now on stops at once',
      'stopped before it had anything to leave',
    ]);
    expect(child.exitCode).toBe(0);
  });
});

describe('signals', () => {
  const SCRIPT = `
    const { listenForSignals } = await import('./src/cli/signals.ts');
    const say = (fields, message) => process.stdout.write(message + ' ' + fields.signal + '\\n');
    const stop = listenForSignals({ debug: say, info: say, warn: say, error: say });
    const alive = setInterval(() => undefined, 1000);
    stop.signal.addEventListener('abort', () => process.stdout.write(stop.signal.reason.message + '\\n'));
    process.stdout.write('up\\n');
    const code = await stop.forced;
    clearInterval(alive);
    process.exitCode = code;
  `;

  // A supervisor, or a host that shuts down, may say it twice.
  test('the first asks for an end in order; of those that follow only SIGINT, from a terminal, forces it', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    let rest = '';
    const sendAt: Record<string, NodeJS.Signals> = {
      up: 'SIGTERM',
      'told to stop by SIGTERM': 'SIGTERM',
      'told to stop again: it goes on in order SIGTERM': 'SIGHUP',
      'told to stop again: it goes on in order SIGHUP': 'SIGINT',
    };
    for await (const chunk of child.stdout) {
      const parts = `${rest}${String(chunk)}`.split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        const signal = sendAt[line];
        if (signal !== undefined) child.kill(signal);
      }
    }
    if (child.exitCode === null) await once(child, 'exit');
    expect(lines).toEqual([
      'up',
      'stopping in order; SIGINT from now on stops at once SIGTERM',
      'told to stop by SIGTERM',
      'told to stop again: it goes on in order SIGTERM',
      'told to stop again: it goes on in order SIGHUP',
      'stopping at once SIGINT',
    ]);
    expect(child.exitCode).toBe(1);
  });
});
