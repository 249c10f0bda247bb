import { request } from 'node:http';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import { createCaller } from './caller.ts';
import type { Call, CallObserver } from './caller.ts';
import { withDeadline } from './deadline.ts';
import { ask } from './failure.ts';
import { LIMITS } from './limits.ts';
import type { Limits } from './limits.ts';

/** Where the metadata service is. */
export interface MetadataOptions {
  /** AWS_EC2_METADATA_SERVICE_ENDPOINT, where set. */
  readonly endpoint?: string;
  readonly limits?: Partial<Limits>;
}

/** What the instance's identity document says. */
export interface InstanceIdentity {
  readonly instanceId: string;
  readonly region: string;
  readonly zone: string;
  /** Private IPv4 address. */
  readonly address: string;
  readonly accountId: string;
}

/** EC2 metadata of the own instance (IMDSv2 only). Nothing here throws but the caller's abort. */
export interface Metadata {
  identity(signal: AbortSignal): Promise<Known<InstanceIdentity>>;
  /** Public IPv4 address; null where the instance has none (yet). */
  publicAddress(signal: AbortSignal): Promise<Known<string | null>>;
  /** What Auto Scaling means the instance to be next (InService, Terminated, Warmed:Stopped …); null outside a group. */
  targetState(signal: AbortSignal): Promise<Known<string | null>>;
  /** The notice that a spot instance gets two minutes before its end; null as long as there is none. */
  spotNotice(signal: AbortSignal): Promise<Known<{ readonly action: string; readonly time: string } | null>>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Asks a path below /latest/; 401 has been dealt with. */
type Get = (path: string, signal: AbortSignal) => Promise<Answer>;

/**
 * Makes the metadata client. Own code and not the SDK's: that one takes a new token for every question, falls back to
 * IMDSv1 for good after one slow answer, and cannot be aborted.
 */
export function createMetadata(
  options: MetadataOptions,
  deps: { readonly observer: CallObserver },
): Metadata {
  const limits = { ...LIMITS, ...options.limits };
  const get = createGet(options.endpoint ?? 'http://169.254.169.254', limits);
  const call = createCaller(limits.callDeadlineMs, deps.observer);
  const getOrNull = (path: string, signal: AbortSignal): Promise<Known<string | null>> =>
    read(get, call, path, signal);
  return {
    identity: async (signal) => {
      const document = await getOrNull('dynamic/instance-identity/document', signal);
      return document.known ? identityOf(document.value) : document;
    },
    publicAddress: async (signal) => {
      const address = await getOrNull('meta-data/public-ipv4', signal);
      return address.known && address.value !== null && isIP(address.value) === 0
        ? unknown(`metadata names a public address that cannot be: ${inspect(address.value.slice(0, 80))}`)
        : address;
    },
    targetState: (signal) => getOrNull('meta-data/autoscaling/target-lifecycle-state', signal),
    spotNotice: async (signal) => {
      const notice = await getOrNull('meta-data/spot/instance-action', signal);
      if (!notice.known || notice.value === null) return notice.known ? known(null) : notice;
      return spotNoticeOf(notice.value);
    },
  };
}

/** The text at a path; null where the service says that there is none (404). */
async function read(get: Get, call: Call, path: string, signal: AbortSignal): Promise<Known<string | null>> {
  const answer = await ask(`metadata ${path}`, signal, () =>
    call('imds', path, signal, (inner) => get(path, inner)),
  );
  if (!answer.known) return answer;
  const { status, body } = answer.value;
  if (status === 404) return known(null);
  if (status !== 200) return unknown(`metadata ${path} answered ${status}`);
  const text = body.trim();
  return text === '' ? unknown(`metadata ${path} answered with nothing`) : known(text);
}

function createGet(endpoint: string, limits: Limits): Get {
  let token: string | null = null;
  const send = (
    method: string,
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Answer> =>
    retried(limits, signal, (inner) =>
      exchange(new URL(`/latest/${path}`, endpoint), method, headers, inner),
    );
  const renew = async (signal: AbortSignal): Promise<string> => {
    const answer = await send(
      'PUT',
      'api/token',
      { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
      signal,
    );
    if (answer.status !== 200 || answer.body === '')
      throw new Error(`no token: metadata answered ${answer.status}`);
    return answer.body;
  };
  return async (path, signal) => {
    const reused = token;
    token = reused ?? (await renew(signal));
    const answer = await send('GET', path, { 'x-aws-ec2-metadata-token': token }, signal);
    if (answer.status !== 401 || reused === null) return answer;
    // The kept token ran out, or the service has forgotten it.
    token = null;
    token = await renew(signal);
    return send('GET', path, { 'x-aws-ec2-metadata-token': token }, signal);
  };
}

const PAUSE_MS = 100;

/** Tries again after a broken connection, a time limit, 429 or 5xx, as often as the limits say. */
async function retried(
  limits: Limits,
  signal: AbortSignal,
  once: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await withDeadline(limits.metadataRequestMs, signal, once);
      if ((answer.status < 500 && answer.status !== 429) || attempt >= limits.tries) return answer;
    } catch (error) {
      if (signal.aborted || attempt >= limits.tries) throw error;
    }
    await sleep(PAUSE_MS * attempt, undefined, { signal });
  }
}

/** No answer of the metadata service is larger than a few KiB; what is, is not from there. */
const LARGEST_BODY = 64 * 1024;

function exchange(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let answered = false;
  // A connection of its own: questions are rare, and a kept one would be found closed.
  const sent = request(url, { method, headers: { ...headers }, signal, agent: false }, (response) => {
    answered = true;
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      body += chunk;
      if (body.length > LARGEST_BODY)
        response.destroy(new Error(`answer longer than ${LARGEST_BODY} characters`));
    });
    response.on('error', reject);
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, body });
    });
  });
  sent.on('error', reject);
  // An answer that asks for another protocol (101) is dropped by Node without a word.
  sent.on('close', () => {
    if (!answered) reject(new Error('the connection was closed without an answer'));
  });
  sent.end();
  return promise;
}

/** What the identity must have, and how it looks: it becomes part of URLs, names and flags. */
const IDENTITY: Readonly<Record<string, (text: string) => boolean>> = {
  instanceId: (text) => /^[\w-]{1,64}$/.test(text),
  region: (text) => /^[a-z0-9-]{1,32}$/.test(text),
  availabilityZone: (text) => /^[a-z0-9-]{1,40}$/.test(text),
  privateIp: (text) => isIP(text) !== 0,
  accountId: (text) => /^\w{1,32}$/.test(text),
};

function identityOf(document: string | null): Known<InstanceIdentity> {
  const fields = document === null ? null : parseObject(document);
  if (fields === null) return unknown('metadata has no readable identity document');
  const wrong = Object.entries(IDENTITY).find(([key, isGood]) => !isGood(textAt(fields, key)));
  if (wrong !== undefined) {
    const [key] = wrong;
    return unknown(
      `the identity document names no ${key} that can be: ${inspect(textAt(fields, key).slice(0, 80))}`,
    );
  }
  return known({
    instanceId: textAt(fields, 'instanceId'),
    region: textAt(fields, 'region'),
    zone: textAt(fields, 'availabilityZone'),
    address: textAt(fields, 'privateIp'),
    accountId: textAt(fields, 'accountId'),
  });
}

function spotNoticeOf(text: string): Known<{ readonly action: string; readonly time: string }> {
  const fields = parseObject(text);
  const action = fields === null ? '' : textAt(fields, 'action');
  if (fields === null || action === '')
    return unknown(`the spot notice is not readable: ${inspect(text.slice(0, 80))}`);
  return known({ action, time: textAt(fields, 'time') });
}

function parseObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function textAt(from: object, key: string): string {
  const value: unknown = Reflect.get(from, key);
  return typeof value === 'string' ? value : '';
}
