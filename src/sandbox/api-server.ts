import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { callEvent, showFor, staleFor, type CallContext } from './api.ts';
import type { Answer, Call } from './call.ts';
import { identify, type Caller } from './caller.ts';
import type { CloudParts } from './cloud.ts';
import { CloudError } from './cloud-error.ts';
import type { Fault, Service } from './model.ts';
import { queryCall } from './query-calls.ts';
import type { Region } from './region.ts';
import { requestUrl } from './request-url.ts';
import { isRoute53, route53Call } from './route53.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** How each service says that it is asked too often, and that it failed. */
const THROTTLES: Readonly<Record<Service, readonly [code: string, status: number, message: string]>> = {
  ec2: ['RequestLimitExceeded', 503, 'Request limit exceeded.'],
  autoscaling: ['Throttling', 400, 'Rate exceeded'],
  route53: ['Throttling', 400, 'Rate exceeded'],
  imds: ['TooManyRequests', 429, 'Too Many Requests'],
};
const FAILURES: Readonly<Record<Service, readonly [code: string, status: number, message: string]>> = {
  ec2: ['InternalError', 500, 'An internal error has occurred'],
  autoscaling: ['InternalFailure', 500, 'The request processing has failed because of an unknown error.'],
  route53: ['ServiceUnavailable', 503, 'Service temporarily unavailable'],
  imds: ['InternalError', 500, 'Internal error'],
};

/** The error that a fault of kind throttle or error makes a service answer; null for other kinds. */
export function faultError(fault: Fault | null, service: Service): CloudError | null {
  if (fault?.kind !== 'throttle' && fault?.kind !== 'error') return null;
  const [code, status, message] = (fault.kind === 'throttle' ? THROTTLES : FAILURES)[service];
  return new CloudError(fault.code ?? code, message, status);
}

/** What a fault does to the connection before a call is carried out; false where the call goes on. */
export function breakConnection(fault: Fault | null, request: IncomingMessage): boolean {
  switch (fault?.kind) {
    case 'refuse':
      request.socket.destroy();
      return true;
    case 'reset':
      request.socket.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    default:
      return false;
  }
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new CloudError('RequestTooLong', 'the request is too long', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A success of which only the first half came. */
function brokenOff(answer: Answer): Answer {
  return { ...answer, status: 200, body: answer.body.slice(0, answer.body.length / 2) };
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': 'text/xml;charset=utf-8',
    'x-amzn-requestid': '00000000-0000-4000-8000-000000000000',
    // What is left of a body that is too large is not waited for.
    ...(answer.status === 413 ? { connection: 'close' } : {}),
    ...answer.headers,
  });
  response.end(answer.body);
}

/** The region that a call is for; none for Route 53's, nor for one of a region that there is not. */
function regionOf(parts: CloudParts, call: Call, { scope }: Caller): Region | undefined {
  return call.service === 'route53' ? undefined : parts.regions.get(scope);
}

function perform(parts: CloudParts, call: Call, caller: Caller, fault: Fault | null): Answer {
  const { settings } = regionOf(parts, call, caller) ?? parts;
  const stale = call.changes ? 0 : staleFor(fault, settings().stalenessMs[call.action]);
  const context: CallContext = {
    parts,
    world: parts.store.at(stale),
    show: showFor(fault),
    asking: caller.asking,
    scope: caller.scope,
  };
  const log = (result: string): void => {
    parts.events.emit(
      call.changes ? 'api-change' : 'api-read',
      callEvent(call.service, call.action, caller.asking, result),
    );
  };
  try {
    const injected = faultError(fault, call.service);
    if (injected !== null) throw injected;
    const answer = call.run(context);
    log('ok');
    return answer;
  } catch (error) {
    const known =
      error instanceof CloudError
        ? error
        : new CloudError('InternalFailure', `the sandbox failed: ${String(error)}`, 500);
    log(known.code);
    if (known.status === 501 || !(error instanceof CloudError)) {
      parts.events.emit('not-simulated', {
        service: call.service,
        action: call.action,
        message: known.message,
      });
    }
    return call.fail(known);
  }
}

async function handle(parts: CloudParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = requestUrl(request);
  const method = request.method ?? 'GET';
  const body = await readBody(request);
  const call = isRoute53(url.pathname) ? route53Call({ method, url, body }) : queryCall(body);
  let caller: Caller;
  try {
    caller = identify(request.headers.authorization, parts.store.world());
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    send(response, call.fail(error));
    return;
  }
  const { service, action, changes } = call;
  const { asking, askingFrom } = caller;
  const region = regionOf(parts, call, caller)?.name ?? null;
  const fault = parts.faults.hit({ service, action, changes, asking, askingFrom, region });
  if (breakConnection(fault, request)) return;
  const answer = perform(parts, call, caller, fault);
  if (fault?.kind === 'lost-answer') request.socket.resetAndDestroy();
  else send(response, fault?.kind === 'malformed' ? brokenOff(answer) : answer);
}

/** The HTTP face of EC2, Auto Scaling and Route 53, all on one endpoint as AWS_ENDPOINT_URL wants it. */
export function createApiListener(parts: CloudParts): RequestListener {
  return (request, response) => {
    handle(parts, request, response).catch((error: unknown) => {
      if (error instanceof CloudError && !response.headersSent) {
        // Refused before it was known whose call it is: said as EC2 would say it.
        send(response, queryCall('').fail(error));
        return;
      }
      parts.events.emit('request-failed', { message: String(error) });
      response.destroy();
    });
  };
}
