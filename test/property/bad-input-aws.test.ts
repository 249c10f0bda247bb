import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { IAM_ACTIONS, OPERATOR_ACTIONS } from '../../src/aws/actions.ts';
import type { ObservedCall } from '../../src/aws/caller.ts';
import { createClients } from '../../src/aws/clients.ts';
import type { Limits } from '../../src/aws/limits.ts';
import { createMetadata } from '../../src/aws/metadata.ts';
import type { Known } from '../../src/core/known.ts';
import { ec2Answer, groupsAnswer } from '../fakes/wire-answers.ts';
import type { WireAnswer } from '../fakes/wire-server.ts';
import { hostileAnswers, httpAnswer, startHostileServer } from '../fixtures/hostile/answers.ts';
import type { HostileAnswer } from '../fixtures/hostile/answers.ts';
import { awsQuestions } from '../fixtures/hostile/aws-questions.ts';
import type { AwsQuestion } from '../fixtures/hostile/aws-questions.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { processorMs } from '../processor-time.ts';
import { eventually } from '../tools.ts';

/*
 * Whatever is said instead of AWS: nothing throws, nothing is collected without bound, and what is not AWS's answer is
 * unknown, in one line that can be read, never an empty list (law 4).
 */

const server = await startHostileServer();
const LIMITS: Partial<Limits> = { callDeadlineMs: 1_000, tryMs: 1_000, metadataRequestMs: 500, tries: 1 };
/** The actions that were asked since this was emptied, as the list of a policy names them. */
const called = new Set<string>();
const observer = {
  onCall: ({ service, action }: ObservedCall) => void called.add(`${service}:${action}`),
};
const clients = createClients(
  {
    region: 'eu-central-1',
    endpoint: server.endpoint,
    credentials: { accessKeyId: 'AK', secretAccessKey: 's' },
    limits: LIMITS,
  },
  { observer },
);
afterAll(async () => {
  clients.destroy();
  await server[Symbol.asyncDispose]();
});

const never = new AbortController().signal;
const QUESTIONS = awsQuestions(clients);

test('every action that the code has is asked', () => {
  const asked = new Set(Object.values(QUESTIONS).map(({ action }) => action));
  expect([...asked].toSorted()).toEqual([...IAM_ACTIONS, ...OPERATOR_ACTIONS].toSorted());
});

/** The reason that an answer was not taken; null where it was. */
function reasonOf(answer: unknown): string | null {
  const value = answer as Partial<Known<unknown>> & { readonly kind?: string; readonly message?: string };
  if (value.known === true || value.kind === 'done') return null;
  return value.known === false ? (value.reason ?? '') : (value.message ?? '');
}

function bodyOf(answer: WireAnswer): string {
  return typeof answer === 'string' ? '' : answer.body;
}

/** Whole answers to all else that a question asks. */
function wellOf({ well = {} }: AwsQuestion): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(well).map(([action, answer]) => [`Action=${action}&`, httpAnswer(bodyOf(answer))]),
  );
}

/** One line that a person reads: what was asked, what is wrong. */
function expectClear(reason: string): void {
  expect(reason).toMatch(/^[^\r\n]{10,700}$/);
  // Words of somebody who forgot a case.
  expect(reason).not.toMatch(/\[object|TypeError|is not a function|NaN|hidden field/);
}

describe.each(Object.entries(QUESTIONS))('asked: %s', (_, question) => {
  const { action, ask, good } = question;
  const well = wellOf(question);

  test('a good answer is taken', async () => {
    called.clear();
    server.say({ bytes: httpAnswer(bodyOf(good)), after: 'end' }, well);
    expect(reasonOf(await ask())).toBeNull();
    expect(called).toContain(action);
  });

  test('whatever comes back, it is an answer or a clear reason', async () => {
    await fc.assert(
      fc.asyncProperty(hostileAnswers([bodyOf(good)]), async (said) => {
        server.say(said, well);
        const reason = reasonOf(await ask());
        if (reason !== null) expectClear(reason);
      }),
      runs(60),
    );
  });

  test.each([
    ['nothing', ''],
    ['a page to sign in at', '<html><body>Sign in</body></html>'],
    ['another service', '<ListBucketResult><Name>x</Name></ListBucketResult>'],
    ['JSON', '{"Reservations":[],"AutoScalingGroups":[]}'],
    ['a tag that never ends', `<${'a'.repeat(1_000)}`],
    ['half of it', bodyOf(good).slice(0, -20)],
  ])('%s with status 200 is no answer', async (__, body) => {
    server.say({ bytes: httpAnswer(body), after: 'end' }, well);
    const reason = reasonOf(await ask());
    expectClear(reason ?? '');
  });
});

describe.each(['EC2 for evidence in another region', 'Route 53 to change records'])('asked: %s', (what) => {
  const { ask, good } = QUESTIONS[what] ?? { ask: async () => null, good: 'hang' };
  test.each<[string, HostileAnswer['after'], string]>([
    ['a body without end', 'endless', `HTTP/1.1 200 X\r\n\r\n${'<a>'.repeat(400)}`],
    ['a body that stops', 'hold', `HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n${bodyOf(good)}`],
    ['a head without end', 'endless', `HTTP/1.1 200 X\r\nx: ${'y'.repeat(2_000)}`],
    [
      'chunks without end',
      'endless',
      `HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n${`400\r\n${'z'.repeat(1_024)}\r\n`.repeat(2)}`,
    ],
  ])('%s is let go, and not collected', async (__, after, bytes) => {
    const before = server.written();
    server.say({ bytes, after });
    expectClear(reasonOf(await ask()) ?? '');
    await eventually(() => server.openConnections() === 0);
    expect(server.written() - before).toBeLessThan(80_000_000);
  });
});

describe('large answers', () => {
  const bomb = Array.from({ length: 12 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(12)}">`).join(
    '',
  );
  test.each([
    [
      'a bomb of entities',
      `<!DOCTYPE x [<!ENTITY e0 "ha">${bomb}]><DescribeInstancesResponse><reservationSet>&e12;</reservationSet></DescribeInstancesResponse>`,
    ],
    ['elements without end', `<DescribeInstancesResponse>${'<a>'.repeat(1_000_000)}`],
    [
      'a message of megabytes',
      `<Response><Errors><Error><Code>${'C'.repeat(1_000_000)}</Code><Message>${'m\n'.repeat(1_000_000)}</Message></Error></Errors></Response>`,
    ],
  ])('%s is a clear reason, and not much work', async (_, body) => {
    server.say({ bytes: httpAnswer(body, body.startsWith('<Response>') ? 400 : 200), after: 'end' });
    const before = processorMs();
    const ask = QUESTIONS['EC2 for evidence in another region']?.ask;
    expectClear(reasonOf(await ask?.()) ?? '');
    expect(processorMs() - before).toBeLessThan(10_000);
  });
});

describe('values that cannot be', () => {
  const evidence = QUESTIONS['EC2 for the own place'];
  test.each(['no address', '10.0.0.256', '10.0.0.1:2380/x', 'example.org'])(
    'the address %s',
    async (address) => {
      server.say({ bytes: httpAnswer(bodyOf(ec2Answer([{ id: 'i-0a', address, tags: {} }]))), after: 'end' });
      const reason = reasonOf(await evidence?.ask());
      expectClear(reason ?? '');
      expect(reason).toContain(address);
    },
  );

  test.each(['abc', '1.5', '-1', ''])('the desired capacity %s', async (desired) => {
    const body = bodyOf(
      groupsAnswer([{ name: 'g', desired: 1, stack: 'etcd-demo', instances: { 'i-0a': 'InService' } }]),
    );
    const changed = body.replace('<DesiredCapacity>1<', `<DesiredCapacity>${desired}<`);
    server.say({ bytes: httpAnswer(changed), after: 'end' });
    expectClear(reasonOf(await QUESTIONS['Auto Scaling for the fleet']?.ask()) ?? '');
  });

  test.each([
    ['a group without an id', '<groupId>sg-0</groupId>', ''],
    ['a port in words', '<fromPort>2378<', '<fromPort>any<'],
    ['no list of groups', /<securityGroupInfo>.*<\/securityGroupInfo>/s, ''],
  ])('security groups with %s', async (_, from, to) => {
    const question = QUESTIONS['EC2 for the security groups'];
    const body = bodyOf(question?.good ?? 'hang').replace(from, to);
    server.say({ bytes: httpAnswer(body), after: 'end' }, question === undefined ? {} : wellOf(question));
    expectClear(reasonOf(await question?.ask()) ?? '');
  });

  test.each([
    ['a TTL in words', '<TTL>60<', '<TTL>long<'],
    ['a set without a name', '<Name>_etcd-cluster.demo.example.org.</Name>', ''],
    ['a set without a type', '<Type>TXT</Type>', ''],
    ['no word on whether there is more', '<IsTruncated>false</IsTruncated>', ''],
  ])('records with %s', async (_, from, to) => {
    const body = bodyOf(QUESTIONS['Route 53 for the records']?.good ?? 'hang').replace(from, to);
    server.say({ bytes: httpAnswer(body), after: 'end' });
    expectClear(reasonOf(await QUESTIONS['Route 53 for the records']?.ask()) ?? '');
  });
});

describe('metadata', () => {
  const metadata = (): ReturnType<typeof createMetadata> =>
    createMetadata({ endpoint: server.endpoint, limits: LIMITS }, { observer: { onCall: () => undefined } });
  const DOCUMENT = JSON.stringify({
    accountId: '123456789012',
    availabilityZone: 'eu-central-1a',
    instanceId: 'i-0123456789abcdef0',
    privateIp: '10.0.0.1',
    region: 'eu-central-1',
  });

  test('whatever comes back, it is an answer or a clear reason', async () => {
    await fc.assert(
      fc.asyncProperty(
        hostileAnswers([DOCUMENT, '{"action":"terminate","time":"2026-01-01T00:00:00Z"}']),
        async (said) => {
          server.say(said);
          for (const answer of [await metadata().identity(never), await metadata().spotNotice(never)]) {
            if (!answer.known) expectClear(answer.reason);
          }
        },
      ),
      runs(60),
    );
  });

  test.each([
    ['instanceId', 'i-0a b'],
    ['instanceId', '<html>'],
    ['region', 'eu central'],
    ['region', 'x.evil.example/'],
    ['availabilityZone', ''],
    ['privateIp', '10.0.0'],
    ['privateIp', 'evil.example'],
    ['privateIp', 7],
  ])('an identity whose %s is %s is none', async (key, value) => {
    const body = JSON.stringify({ ...(JSON.parse(DOCUMENT) as object), [key]: value });
    server.say({ bytes: httpAnswer(body), after: 'end' });
    const answer = await metadata().identity(never);
    expect(answer).toEqual({ known: false, reason: expect.stringContaining(key) });
  });

  test.each<[string, HostileAnswer['after'], string]>([
    ['a body without end', 'endless', `HTTP/1.1 200 X\r\n\r\n${'a'.repeat(1_000)}`],
    ['a body that stops', 'hold', 'HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n{'],
    ['a head without end', 'endless', `HTTP/1.1 200 X\r\nx: ${'y'.repeat(2_000)}`],
    ['a page', 'end', httpAnswer('<html>\n<body>Sign in</body></html>')],
  ])('%s is let go', async (_, after, bytes) => {
    server.say({ bytes, after });
    const answer = await metadata().identity(never);
    expectClear(answer.known ? '' : answer.reason);
    await eventually(() => server.openConnections() === 0);
  });

  test.each(['', 'yesterday'])('a change submitted at %j', async (time) => {
    const change = QUESTIONS['Route 53 to change records'];
    const body = bodyOf(change?.good ?? 'hang').replace(/<SubmittedAt>[^<]*</, `<SubmittedAt>${time}<`);
    server.say({ bytes: httpAnswer(body), after: 'end' });
    const reason = reasonOf(await change?.ask()) ?? '';
    expectClear(reason);
    expect(reason).toContain('Route 53 answered what cannot be read');
  });
});
