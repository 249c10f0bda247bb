import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { staleFor } from './api.ts';
import { breakConnection, faultError } from './api-server.ts';
import { accessKeyOf } from './caller.ts';
import { CloudError } from './cloud-error.ts';
import type { FaultSource } from './faults.ts';
import { isLeaving } from './group-rules.ts';
import type { Region } from './region.ts';
import { decodedPath, requestUrl } from './request-url.ts';
import { isoTime } from './wire-query.ts';
import type { Instance, RegionWorld } from './world.ts';

export const ROLE_NAME = 'etcd-appliance';
const MAX_TOKEN_SECONDS = 21_600;
const CREDENTIALS_MS = 6 * 3_600_000;
const MOST_TOKENS = 1_000;
/** What a proxy in between may say instead of EC2. */
const WEB_PAGE = '<!doctype html><title>Welcome</title><p>It works';
const TOKEN_PATH = 'api/token';

/** Paths that EC2 has and that hold nothing on these instances: 404, as there. */
const ABSENT =
  /^(meta-data\/(spot\/(instance-action|termination-time)|events\/recommendations\/rebalance|public-(ipv4|hostname)|tags\/instance|iam\/security-credentials-extended)(\/.*)?|user-data)$/;

/** What Auto Scaling wants the instance to become; null outside of a group. */
function targetState(world: RegionWorld, instanceId: string): string | null {
  for (const group of world.groups.values()) {
    const member = group.members.find((it) => it.instanceId === instanceId);
    if (member !== undefined) return isLeaving(member) ? 'Terminated' : 'InService';
  }
  return null;
}

function credentials(instanceId: string, nowMs: number): string {
  return JSON.stringify({
    Code: 'Success',
    LastUpdated: isoTime(nowMs),
    Type: 'AWS-HMAC',
    AccessKeyId: accessKeyOf(instanceId),
    SecretAccessKey: `secret-of-${instanceId}`,
    Token: `token-of-${instanceId}`,
    Expiration: isoTime(nowMs + CREDENTIALS_MS),
  });
}

function identityDocument(instance: Instance, { name: region, account }: Region): string {
  return JSON.stringify(
    {
      accountId: account,
      architecture: 'arm64',
      availabilityZone: instance.zone,
      imageId: 'ami-0e7c0d0a9d0b1c2d3',
      instanceId: instance.id,
      instanceType: 'm7g.medium',
      pendingTime: isoTime(instance.launchedAtMs),
      privateIp: instance.address,
      region,
      version: '2017-09-30',
    },
    null,
    2,
  );
}

/** Everything that the metadata of an instance holds, by the path below /latest/. */
function metadataTree(region: Region, world: RegionWorld, instance: Instance): ReadonlyMap<string, string> {
  const hostName = `ip-${instance.address.replace(/\./g, '-')}.${region.name}.compute.internal`;
  const tree = new Map([
    ['dynamic/instance-identity/document', identityDocument(instance, region)],
    ['meta-data/ami-id', 'ami-0e7c0d0a9d0b1c2d3'],
    ['meta-data/hostname', hostName],
    ['meta-data/instance-id', instance.id],
    ['meta-data/instance-type', 'm7g.medium'],
    ['meta-data/local-hostname', hostName],
    ['meta-data/local-ipv4', instance.address],
    ['meta-data/placement/availability-zone', instance.zone],
    ['meta-data/placement/region', region.name],
    ['meta-data/services/domain', 'amazonaws.com'],
    ['meta-data/services/partition', 'aws'],
    [`meta-data/iam/security-credentials/${ROLE_NAME}`, credentials(instance.id, region.clock.now())],
  ]);
  if (instance.publicAddress !== null) tree.set('meta-data/public-ipv4', instance.publicAddress);
  const target = targetState(world, instance.id);
  if (target !== null) tree.set('meta-data/autoscaling/target-lifecycle-state', target);
  return tree;
}

/** The names below a path, as EC2 lists them: one a line, those with more below them with a slash. */
function listing(tree: ReadonlyMap<string, string>, path: string): string | null {
  const prefix = path === '' ? '' : `${path.replace(/\/$/, '')}/`;
  const names = new Set<string>();
  for (const key of tree.keys()) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    names.add(rest.includes('/') ? rest.slice(0, rest.indexOf('/') + 1) : rest);
  }
  return names.size === 0 ? null : [...names].sort().join('\n');
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The metadata service (IMDSv2 alone) of one instance of a region, for a listener that only that instance reaches. */
export function createMetadataListener(
  region: Region,
  faults: FaultSource,
  instanceId: string,
): RequestListener {
  const tokens = new Map<string, number>();

  const giveToken = (request: IncomingMessage): Reply => {
    if (request.headers['x-forwarded-for'] !== undefined) return { status: 403, body: 'forwarded' };
    const seconds = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds'] ?? NaN);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_TOKEN_SECONDS)
      return { status: 400, body: '' };
    const token = randomBytes(32).toString('base64url');
    // Who takes a new token for every question must not fill the memory.
    const [oldest] = tokens.keys();
    if (tokens.size >= MOST_TOKENS && oldest !== undefined) tokens.delete(oldest);
    tokens.set(token, region.clock.now() + seconds * 1000);
    return { status: 200, body: token, headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(seconds) } };
  };

  const hasToken = (request: IncomingMessage): boolean => {
    const token = request.headers['x-aws-ec2-metadata-token'];
    return typeof token === 'string' && (tokens.get(token) ?? 0) > region.clock.now();
  };

  const read = (path: string, world: RegionWorld): Reply => {
    const instance = world.instances.get(instanceId);
    if (instance === undefined) return { status: 404, body: '' };
    const tree = metadataTree(region, world, instance);
    const value = tree.get(path) ?? listing(tree, path);
    if (value !== null) return { status: 200, body: value };
    if (ABSENT.test(path.replace(/\/$/, '')) || path.startsWith('meta-data/autoscaling/'))
      return { status: 404, body: '' };
    region.events.emit('not-simulated', { service: 'imds', action: path, message: `no metadata at ${path}` });
    return { status: 501, body: `the sandbox does not simulate the metadata path ${path}` };
  };

  const answer = (request: IncomingMessage, path: string, staleMs: number): Reply => {
    if (path === TOKEN_PATH) {
      return request.method === 'PUT' ? giveToken(request) : { status: 405, body: '' };
    }
    if (request.method !== 'GET') return { status: 405, body: '' };
    return hasToken(request) ? read(path, region.store.at(staleMs)) : { status: 401, body: '' };
  };

  const send = (response: ServerResponse, reply: Reply): void => {
    response.writeHead(reply.status, { 'content-type': 'text/plain', ...reply.headers });
    response.end(reply.body);
  };

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodedPath(requestUrl(request)).replace(/^\/latest\/?/, '');
    const changes = path === TOKEN_PATH;
    const fault = faults.hit({
      service: 'imds',
      action: path,
      changes,
      asking: instanceId,
      askingFrom: region.name,
      region: region.name,
    });
    if (breakConnection(fault, request)) return;
    const error = faultError(fault, 'imds');
    if (error !== null) send(response, { status: error.status, body: error.message });
    else if (fault?.kind === 'empty') send(response, { status: 200, body: '' });
    else if (fault?.kind === 'malformed') send(response, { status: 200, body: WEB_PAGE });
    else if (fault?.kind === 'lost-answer') request.socket.resetAndDestroy();
    else send(response, answer(request, path, staleFor(fault, region.settings().stalenessMs[path])));
  };

  return (request, response) => {
    try {
      serve(request, response);
    } catch (error) {
      if (error instanceof CloudError) send(response, { status: error.status, body: error.message });
      else throw error;
    }
  };
}
