import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { describeError, hasCode } from '../errors.ts';
import { CloudError } from './cloud-error.ts';
import { CUT_FROM } from './cuts.ts';
import type { Cuts, CutFrom, CutRequest } from './cuts.ts';
import type { RunningHypervisor } from './hypervisor.ts';
import type { MachineReport } from './machine.ts';
import { requestUrl } from './request-url.ts';
import type { Cloud, CloudSettings, CloudSnapshot, FaultRequest } from './model.ts';
import { readVariables } from './variables.ts';

/** Where a sandbox is reached. */
export interface SandboxAddresses {
  readonly aws: string;
  readonly control: string;
  readonly controlSocket: string;
  readonly dns: { readonly address: string; readonly port: number };
  /** `<name>.<zone>` of the group made at the start, without the trailing dot. */
  readonly clusterName: string;
  readonly group: string;
  readonly stateDir: string;
  /** Network namespace that it runs in; null on loopback. */
  readonly hub: string | null;
}

/** What `GET /state` answers. */
export interface SandboxState {
  readonly addresses: SandboxAddresses;
  readonly cloud: CloudSnapshot;
  /** The machines that are switched on. */
  readonly machines: readonly MachineReport[];
  readonly cuts: Readonly<Record<string, CutRequest>>;
  readonly regionCuts: Readonly<Record<string, CutFrom>>;
}

export interface ControlDeps {
  readonly cloud: Cloud;
  readonly hypervisor: RunningHypervisor;
  readonly cuts: Cuts;
  readonly addresses: SandboxAddresses;
  /** Called for POST /shutdown, after the answer was sent. */
  readonly onShutdown: () => void;
}

type Body = Readonly<Record<string, unknown>>;

interface Call {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Body;
}

/** What a route answers as JSON; undefined for "done". */
type Route = (call: Call) => unknown;

const LARGEST_BODY = 1_000_000;
/** Characters of events that wait for a client to read them; all that are kept fit in. */
const LARGEST_BACKLOG = 32_000_000;

/** Where events are sent as they happen; the one page that is no route, as its answer has no end. */
export const EVENT_STREAM = '/events/stream';

/** What can be done to an instance by POST /instances/:id/VERB. */
export const INSTANCE_VERBS = [
  'terminate',
  'power-cut',
  'kill-etcd',
  'freeze-etcd',
  'thaw-etcd',
  'kill-appliance',
  'freeze-appliance',
  'thaw-appliance',
  'wipe-data',
  'restart',
  'configure',
  'cut',
] as const;
export type InstanceVerb = (typeof INSTANCE_VERBS)[number];

/** The control API (HTTP, JSON both ways): everything that an operator, a demo or a test does to a sandbox. */
export function createControlListener(deps: ControlDeps): RequestListener {
  const routes = createRoutes(deps);
  return (request, response) => {
    void serve(request, response, routes, deps).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, error);
    });
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Readonly<Record<string, Route>>,
  deps: ControlDeps,
): Promise<void> {
  // A page in the operator's browser must not be able to reach this.
  if (request.headers.origin !== undefined)
    throw new CloudError('Forbidden', 'no browser may call this', 403);
  const url = requestUrl(request);
  const path = url.pathname.split('/').filter((part) => part !== '');
  const method = request.method ?? 'GET';
  if (method === 'GET' && url.pathname === EVENT_STREAM) {
    stream(response, deps.cloud, sinceOf(url.searchParams));
    return;
  }
  const route = routes[`${method} ${path[0] ?? ''}/${path.length}`];
  if (route === undefined) throw new CloudError('NotFound', `no route ${method} ${url.pathname}`, 404);
  const body = method === 'POST' ? await readBody(request) : {};
  const answer = await route({ path, query: url.searchParams, body });
  reply(response, 200, answer ?? { done: true });
  if (method === 'POST' && path[0] === 'shutdown') deps.onShutdown();
}

/** What is done for each request, keyed by method, first part of the path, and number of its parts. */
export function createRoutes(deps: ControlDeps): Readonly<Record<string, Route>> {
  const { cloud, hypervisor, cuts } = deps;
  return {
    'GET state/1': async (): Promise<SandboxState> => ({
      addresses: deps.addresses,
      cloud: cloud.describe(),
      machines: await hypervisor.report(),
      cuts: cuts.list(),
      regionCuts: cuts.listRegions(),
    }),
    'GET events/1': ({ query }) => cloud.events.since(sinceOf(query)),
    'POST instances/3': async ({ path: [, instanceId = '', verb = ''], body }) => {
      if (!isVerb(verb)) throw badRequest(`no verb ${verb}: know ${INSTANCE_VERBS.join(', ')}`);
      cloud.events.emit('operator', { verb, instanceId });
      await doVerb(deps, verb, instanceId, body);
    },
    'POST groups/3': ({ path: [, group = '', verb], body }) => {
      if (verb !== 'scale') throw badRequest(`no verb ${verb}: know scale`);
      if (typeof body['desired'] !== 'number') throw badRequest('desired must be a number of instances');
      cloud.setDesired(group, body['desired'], regionIn(deps, body['region']));
    },
    'POST regions/3': async ({ path: [, region, verb = ''], body }) => {
      if (verb !== 'cut') throw badRequest(`no verb ${verb}: know cut`);
      const { from } = cutRequestOf(body);
      const name = regionIn(deps, region) ?? '';
      cloud.events.emit('operator', { verb: 'cut', region: name, from });
      await cuts.cutRegion(name, from);
    },
    'POST launches/1': ({ body }) => {
      const variables = readVariables(body);
      const region = regionIn(deps, body['region']);
      cloud.events.emit('operator', { verb: 'launch-with', variables, region: region ?? null });
      hypervisor.launchWith(variables, region);
    },
    'GET faults/1': () => cloud.faults.list(),
    // The fault is checked where it is added: what is no fault is refused there.
    'POST faults/1': ({ body }) => cloud.faults.add(body as unknown as FaultRequest),
    'DELETE faults/1': () => cloud.faults.liftAll(),
    'DELETE faults/2': ({ path: [, id = ''] }) => {
      if (!cloud.faults.lift(id)) throw new CloudError('NotFound', `no fault ${id}`, 404);
    },
    'GET settings/1': ({ query }) => cloud.settings(regionIn(deps, query.get('region') ?? undefined)),
    'POST settings/1': ({ body, query }) =>
      cloud.changeSettings(body as Partial<CloudSettings>, regionIn(deps, query.get('region') ?? undefined)),
    'POST shutdown/1': () => ({ stopping: true }),
  };
}

function doVerb(deps: ControlDeps, verb: InstanceVerb, instanceId: string, body: Body): Promise<void> | void {
  const { cloud, hypervisor, cuts } = deps;
  switch (verb) {
    case 'terminate':
      return cloud.terminateInstance(
        instanceId,
        typeof body['decrement'] === 'boolean' ? { decrement: body['decrement'] } : {},
      );
    case 'power-cut':
      return cloud.powerCut(instanceId);
    case 'kill-etcd':
      return hypervisor.kill(instanceId, 'etcd');
    case 'freeze-etcd':
      return hypervisor.freeze(instanceId, 'etcd');
    case 'thaw-etcd':
      return hypervisor.thaw(instanceId, 'etcd');
    case 'kill-appliance':
      return hypervisor.kill(instanceId, 'appliance');
    case 'freeze-appliance':
      return hypervisor.freeze(instanceId, 'appliance');
    case 'thaw-appliance':
      return hypervisor.thaw(instanceId, 'appliance');
    case 'wipe-data':
      return hypervisor.wipeData(instanceId);
    case 'restart':
      return hypervisor.restart(instanceId);
    case 'configure':
      return hypervisor.configure(instanceId, readVariables(body));
    case 'cut':
      return cuts.cut(instanceId, cutRequestOf(body));
  }
}

function cutRequestOf(body: Body): CutRequest {
  const { from = 'both', only } = body;
  if (!CUT_FROM.some((known) => known === from))
    throw badRequest(`from must be one of ${CUT_FROM.join(', ')}`);
  if (only === undefined) return { from: from as CutFrom };
  if (!Array.isArray(only) || !only.every((id) => typeof id === 'string')) {
    throw badRequest('only must be a list of instance ids');
  }
  return { from: from as CutFrom, only };
}

/** A region that a request names, or none. Throws where there is no such region. */
function regionIn({ cloud }: ControlDeps, region: unknown): string | undefined {
  const { regions } = cloud.describe();
  const known = regions.find((name) => name === region);
  if (region === undefined || known !== undefined) return known;
  throw badRequest(`no region ${JSON.stringify(region)}: know ${regions.join(', ')}`);
}

function isVerb(text: string): text is InstanceVerb {
  return INSTANCE_VERBS.some((verb) => verb === text);
}

function sinceOf(query: URLSearchParams): number {
  const since = Number(query.get('since') ?? 0);
  if (!Number.isFinite(since)) throw badRequest(`since must be a number, not ${query.get('since')}`);
  return since;
}

/** Server-sent events: those kept first, then each as it happens, until the client goes. */
function stream(response: ServerResponse, cloud: Cloud, since: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event: { readonly seq: number }): void => {
    // Who does not read must not fill the memory; whoever comes back asks from the last number that it has.
    if (response.writableLength > LARGEST_BACKLOG) response.destroy();
    if (response.destroyed) return;
    response.write(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  for (const event of cloud.events.since(since)) send(event);
  const cancel = cloud.events.subscribe(send);
  response.on('close', cancel);
}

async function readBody(request: IncomingMessage): Promise<Body> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > LARGEST_BODY) throw new CloudError('TooLarge', 'the body is too large', 413);
  }
  if (text.trim() === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Body;
  } catch (error) {
    throw new CloudError('BadRequest', `the body is no JSON: ${describeError(error)}`);
  }
  throw badRequest('the body must be a JSON object');
}

function reply(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(answer, null, 2)}\n`);
}

function refuse(response: ServerResponse, error: unknown): void {
  // What is left of a body that is too large is not waited for.
  if (statusOf(error) === 413) response.setHeader('connection', 'close');
  reply(response, statusOf(error), { error: describeError(error) });
}

function badRequest(message: string): CloudError {
  return new CloudError('BadRequest', message);
}

function statusOf(error: unknown): number {
  if (error instanceof CloudError) return error.status;
  if (hasCode(error, 'not-found')) return 404;
  if (hasCode(error, 'conflict')) return 409;
  if (hasCode(error, 'usage')) return 400;
  return 500;
}
