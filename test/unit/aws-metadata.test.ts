import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ObservedCall } from '../../src/aws/caller.ts';
import type { Limits } from '../../src/aws/limits.ts';
import { createMetadata } from '../../src/aws/metadata.ts';
import { startWireServer } from '../fakes/wire-server.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;
const TOKEN = 'PUT /latest/api/token';
const STATE = 'GET /latest/meta-data/autoscaling/target-lifecycle-state';
const DOCUMENT = {
  instanceId: 'i-1',
  region: 'eu-central-1',
  availabilityZone: 'eu-central-1a',
  privateIp: '10.0.0.1',
  accountId: '123456789012',
};

async function metadataOf(
  answer: (request: WireRequest, earlier: number) => WireAnswer,
  limits: Partial<Limits> = {},
) {
  const server = await startWireServer((request, earlier) =>
    request.action === TOKEN ? { body: `token-${earlier}` } : answer(request, earlier),
  );
  onTestFinished(() => server[Symbol.asyncDispose]());
  const seen: ObservedCall[] = [];
  const metadata = createMetadata(
    { endpoint: server.endpoint, limits },
    { observer: { onCall: (call) => seen.push(call) } },
  );
  return { metadata, server, seen };
}

test('the identity comes from the document', async () => {
  const { metadata, seen } = await metadataOf(() => ({ body: JSON.stringify(DOCUMENT) }));
  expect(await metadata.identity(never)).toEqual({
    known: true,
    value: {
      instanceId: 'i-1',
      region: 'eu-central-1',
      zone: 'eu-central-1a',
      address: '10.0.0.1',
      accountId: '123456789012',
    },
  });
  expect(seen).toMatchObject([
    { service: 'imds', action: 'dynamic/instance-identity/document', result: 'ok' },
  ]);
});

test.each([
  { answer: { body: '203.0.113.1\n' }, says: { known: true, value: '203.0.113.1' } },
  { answer: { status: 404, body: '' }, says: { known: true, value: null } },
  { answer: { body: 'nowhere' }, says: { known: false } },
  { answer: { status: 500, body: '' }, says: { known: false } },
])('the public address is $says where metadata answers $answer', async ({ answer, says }) => {
  const { metadata } = await metadataOf(({ action }) =>
    action === 'GET /latest/meta-data/public-ipv4' ? answer : { status: 404, body: '' },
  );
  expect(await metadata.publicAddress(never)).toMatchObject(says);
});

test.each([
  {
    name: 'a document without an address',
    answer: { body: JSON.stringify({ ...DOCUMENT, privateIp: null }) },
  },
  { name: 'a document that is none', answer: { body: '<html>' } },
  { name: 'no document', answer: { status: 404, body: '' } },
  { name: 'an empty answer', answer: { body: '' } },
])('the identity is unknown with $name', async ({ answer }) => {
  const { metadata } = await metadataOf(() => answer);
  expect(await metadata.identity(never)).toMatchObject({ known: false });
});

describe('the target state', () => {
  test('is the word, and null where the instance is in no group', async () => {
    const { metadata } = await metadataOf(({ action }, earlier) =>
      action === STATE && earlier < 2 ? { body: 'InService\n' } : { status: 404, body: 'Not Found' },
    );
    expect(await metadata.targetState(never)).toEqual({ known: true, value: 'InService' });
    expect(await metadata.targetState(never)).toEqual({ known: true, value: null });
  });

  test.each<{ name: string; answer: WireAnswer; reason: RegExp }>([
    { name: 'hangs', answer: 'hang', reason: /did not answer \(no answer within 400 ms\)/ },
    { name: 'resets', answer: 'reset', reason: /did not answer/ },
    { name: 'fails', answer: { status: 500, body: '' }, reason: /answered 500/ },
    { name: 'says nothing', answer: { body: '' }, reason: /answered with nothing/ },
  ])('is unknown where metadata $name', async ({ answer, reason }) => {
    // Whoever answers has all the time that metadata have: only silence is cut short.
    const { metadata } = await metadataOf(() => answer, answer === 'hang' ? { metadataRequestMs: 400 } : {});
    expect(await metadata.targetState(never)).toEqual({
      known: false,
      reason: expect.stringMatching(reason) as string,
    });
  });

  test('is asked again after an answer that failed', async () => {
    const { metadata } = await metadataOf((_, earlier) => (earlier < 3 ? 'reset' : { body: 'InService' }));
    expect(await metadata.targetState(never)).toEqual({ known: true, value: 'InService' });
  });
});

describe('the token', () => {
  test('is kept, and sent', async () => {
    const { metadata, server } = await metadataOf(() => ({ body: 'InService' }));
    await metadata.targetState(never);
    await metadata.targetState(never);
    expect(server.requests.map((request) => request.action)).toEqual([TOKEN, STATE, STATE]);
    expect(server.requests.map(({ headers }) => headers['x-aws-ec2-metadata-token'])).toEqual([
      undefined,
      'token-0',
      'token-0',
    ]);
    expect(server.requests[0]?.headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('21600');
  });

  test('is renewed once when it is refused', async () => {
    let valid = 'token-0';
    const { metadata, server } = await metadataOf(({ headers }) =>
      headers['x-aws-ec2-metadata-token'] === valid ? { body: 'InService' } : { status: 401, body: '' },
    );
    await metadata.targetState(never);
    valid = 'token-3';
    expect(await metadata.targetState(never)).toEqual({ known: true, value: 'InService' });
    expect(server.requests.map((request) => request.action)).toEqual([TOKEN, STATE, STATE, TOKEN, STATE]);
    valid = 'none';
    expect(await metadata.targetState(never)).toMatchObject({
      known: false,
      reason: expect.stringMatching(/401/) as string,
    });
  });

  test('is never done without (IMDSv1)', async () => {
    const server = await startWireServer(({ action }) =>
      action === TOKEN ? { status: 403, body: '' } : { body: 'InService' },
    );
    onTestFinished(() => server[Symbol.asyncDispose]());
    const metadata = createMetadata({ endpoint: server.endpoint }, { observer: { onCall: () => undefined } });
    expect(await metadata.targetState(never)).toMatchObject({
      known: false,
      reason: expect.stringMatching(/no token/) as string,
    });
    expect(server.requests.every((request) => request.action === TOKEN)).toBe(true);
  });
});

test('a spot notice is its action and time; 404 is none', async () => {
  const answers: WireAnswer[] = [
    { status: 404, body: '' },
    { body: '{"action":"terminate","time":"2026-01-01T00:00:00Z"}' },
    { body: 'soon' },
  ];
  const { metadata } = await metadataOf(() => answers.shift() ?? 'reset');
  expect(await metadata.spotNotice(never)).toEqual({ known: true, value: null });
  expect(await metadata.spotNotice(never)).toEqual({
    known: true,
    value: { action: 'terminate', time: '2026-01-01T00:00:00Z' },
  });
  expect(await metadata.spotNotice(never)).toMatchObject({ known: false });
});

test('an answer that changes the protocol is unknown', async () => {
  const bytes = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
  const server = createServer((socket) => void socket.on('error', () => undefined).write(bytes));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const metadata = createMetadata(
    { endpoint: `http://127.0.0.1:${port}`, limits: { metadataRequestMs: 400 } },
    { observer: { onCall: () => undefined } },
  );
  expect(await metadata.targetState(never)).toEqual({
    known: false,
    reason: expect.stringContaining('without an answer'),
  });
});

test('an abort ends the question with its reason', async () => {
  const { metadata } = await metadataOf(() => 'hang');
  const controller = new AbortController();
  const asked = metadata.targetState(controller.signal);
  controller.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
});
