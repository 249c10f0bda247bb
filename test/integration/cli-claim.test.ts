import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { claimRecord, foundingClaim } from '../../src/core/claim.ts';
import { runMain } from '../fakes/command.ts';
import { CHANGE_TAKEN, queryError, recordsAnswer, zonesAnswer } from '../fakes/wire-answers.ts';
import type { WireRecord } from '../fakes/wire-answers.ts';
import { startWireServer } from '../fakes/wire-server.ts';
import type { WireAnswer } from '../fakes/wire-server.ts';

const CLAIM = claimRecord(
  '_etcd-cluster.demo.example.org',
  foundingClaim({
    stack: 'etcd-demo',
    token: 'c0ffee',
    groups: ['arn:aws:autoscaling:g'],
    founders: [{ instanceId: 'i-0a', region: 'eu-central-1', address: '10.0.0.1' }],
    before: null,
  }),
);
const OURS: readonly WireRecord[] = [
  { name: 'demo.example.org.', type: 'A', values: ['10.0.0.1', '10.0.0.2'] },
  { name: '_etcd-cluster.demo.example.org.', type: 'TXT', ttl: CLAIM.ttl, values: CLAIM.values },
  { name: 'i-0a.demo.example.org.', type: 'A', values: ['10.0.0.1'] },
];
const THEIRS: WireRecord = { name: 'www.demo.example.org.', type: 'A', values: ['10.9.9.9'] };

/** A zone example.org with these records; `changed` answers a change. */
async function startZone(records: readonly WireRecord[], changed: WireAnswer = CHANGE_TAKEN) {
  const server = await startWireServer(({ action }) => {
    if (action === 'GET /2013-04-01/hostedzonesbyname')
      return zonesAnswer([{ id: 'Z1', name: 'example.org.' }]);
    if (action === 'GET /2013-04-01/hostedzone/Z1/rrset') return recordsAnswer(records);
    return action.startsWith('POST /2013-04-01/hostedzone/Z1/rrset') ? changed : { status: 501, body: '' };
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const env = {
    HOSTED_ZONE: 'example.org',
    AWS_ENDPOINT_URL: server.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIAOPERATOR',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const changes = () =>
    server.requests.filter(({ action }) => action.startsWith('POST')).map(({ body }) => body);
  return { env, changes };
}

/** Runs the program at a terminal, where `typed` is pressed as soon as it asks so. */
async function typeInto(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  asks: RegExp,
  typed: string,
): Promise<{ readonly code: number | null; readonly out: string }> {
  const command = [process.execPath, 'src/main.ts', ...words].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { HOME: tmpdir(), PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let answered = false;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    if (answered || !asks.test(out)) return;
    answered = true;
    child.stdin.write(typed);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out };
}

describe('claim show', () => {
  test('prints the claim and the records that are ours', async () => {
    const { env, changes } = await startZone([...OURS, THEIRS]);
    const { code, out, err } = await runMain(['claim', 'show', 'demo'], env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('demo.example.org (route53:Z1/_etcd-cluster.demo.example.org)');
    expect(out).toContain('claim forming, epoch 1, of stack etcd-demo\n');
    expect(out).toContain('founders: i-0a 10.0.0.1\n');
    expect(out).toContain('records: 3\n');
    expect(out).toContain('  demo.example.org 60 A 10.0.0.1 | 10.0.0.2\n');
    expect(out).not.toContain('www.');
    expect(changes()).toEqual([]);
  });

  test.each([['demo.example.org'], ['Demo.Example.Org.'], []])(
    'finds the name by %j, or by STACK_NAME',
    async (...name) => {
      const { env } = await startZone(OURS);
      const { code, out } = await runMain(['claim', 'show', '--json', ...name], {
        ...env,
        STACK_NAME: 'etcd-demo',
      });
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        cluster: 'demo.example.org',
        reading: { kind: 'claim', claim: { epoch: 1 } },
      });
    },
  );

  test('says that there is none', async () => {
    const { env } = await startZone([THEIRS]);
    expect((await runMain(['claim', 'show', 'demo'], env)).out).toContain('no claim\nrecords: 0\n');
  });

  test('a name of another zone is a usage error', async () => {
    const { env } = await startZone([]);
    const { code, err } = await runMain(['claim', 'show', 'demo.example.com'], env);
    expect({ code, err }).toEqual({
      code: 64,
      err: 'etcd-appliance: "demo.example.com" is no name in the zone example.org\n',
    });
  });
});

describe('claim release', () => {
  test('without the name typed it says what it means, and changes nothing', async () => {
    const { env, changes } = await startZone(OURS);
    for (const confirm of [[], ['--confirm', 'demo'], ['--confirm', 'other.example.org']]) {
      const { code, out, err } = await runMain(['claim', 'release', 'demo', ...confirm], env);
      expect(code).toBe(64);
      expect(out).toContain('will start a NEW, EMPTY cluster');
      expect(err).toContain('nothing was released: confirm with the full name demo.example.org');
    }
    expect(changes()).toEqual([]);
  });

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s instead of the name changes nothing, and says so', async (_key, typed) => {
    const { env, changes } = await startZone(OURS);
    const { code, out } = await typeInto(['claim', 'release', 'demo'], env, /Type demo.example.org/, typed);
    expect(code).toBe(64);
    expect(out).toContain('nothing was released: confirm with the full name demo.example.org');
    // No bug: no stack of calls.
    expect(out).not.toContain('    at ');
    expect(changes()).toEqual([]);
  });

  test('deletes what is ours, with the values that were read, in one batch', async () => {
    const { env, changes } = await startZone([...OURS, THEIRS]);
    const { code, out } = await runMain(['claim', 'release', 'demo', '--confirm', 'demo.example.org'], env);
    expect(code).toBe(0);
    expect(out).toContain('released demo.example.org: 3 record sets deleted');
    const [batch = '', ...others] = changes();
    expect(others).toEqual([]);
    expect([...batch.matchAll(/<Action>(\w+)<\/Action>/g)].map((match) => match[1])).toEqual([
      'DELETE',
      'DELETE',
      'DELETE',
    ]);
    expect(batch).toContain('<Value>10.0.0.2</Value>');
    expect(batch).toContain('epoch=1');
    expect(batch).not.toContain('www.');
  });

  test('works without a claim, too, and with nothing there', async () => {
    const [name, , host] = OURS;
    const without = await startZone([name, host].filter((one) => one !== undefined));
    const released = await runMain(
      ['claim', 'release', 'demo', '--confirm', 'demo.example.org'],
      without.env,
    );
    expect(released.out).toContain('2 record sets deleted');
    const nothing = await startZone([THEIRS]);
    const { code, out } = await runMain(['claim', 'release', 'demo'], nothing.env);
    expect({ code, out }).toEqual({ code: 0, out: 'nothing of ours is under demo.example.org\n' });
    expect(nothing.changes()).toEqual([]);
  });

  test('a change in between releases nothing, and says so: 1', async () => {
    const refused = queryError(400, 'InvalidChangeBatch', '[... but the values provided do not match]');
    const { env } = await startZone(OURS, refused);
    const { code, err } = await runMain(['claim', 'release', 'demo', '--confirm', 'demo.example.org'], env);
    expect(code).toBe(1);
    expect(err).toMatch(/^etcd-appliance: nothing was released: .*do not match.*; run it again\n$/);
  });

  test('a lost answer is told as such: 69', async () => {
    const { env } = await startZone(OURS, 'reset');
    const { code, err } = await runMain(['claim', 'release', 'demo', '--confirm', 'demo.example.org'], env);
    expect(code).toBe(69);
    expect(err).toContain('whether it was released is not known');
  });
});
