import { request } from 'node:http';
import { ApplianceError } from '../errors.ts';
import type { SandboxState } from './control.ts';
import type { CutFrom, CutRequest } from './cuts.ts';
import type { CloudEvent, CloudSettings, Fault, FaultRequest } from './model.ts';
import type { Variables } from './variables.ts';

/** Where a control API is: its URL, or its socket, which is reached from any network namespace. */
export type ControlTarget = { readonly url: string } | { readonly socket: string };

/** The control API, called. What it refuses is thrown with its own words. */
export interface ControlClient {
  readonly state: () => Promise<SandboxState>;
  readonly events: (since: number) => Promise<readonly CloudEvent[]>;
  /** Shows what was kept after `since`, then what happens, until the sandbox ends or the signal says so. */
  readonly follow: (since: number, show: (event: CloudEvent) => void, signal: AbortSignal) => Promise<void>;
  readonly onInstance: (instanceId: string, verb: string, body?: object) => Promise<void>;
  readonly cut: (instanceId: string, cut: CutRequest) => Promise<void>;
  readonly cutRegion: (region: string, from: CutFrom) => Promise<void>;
  /** Variables of the instance's appliance, from its next start on. */
  readonly configure: (instanceId: string, variables: Variables) => Promise<void>;
  /** Variables of the instances that are launched from now on, in one region or all. */
  readonly launchWith: (variables: Variables, region?: string) => Promise<void>;
  /** The region must be named where groups of this name are in several. */
  readonly scale: (group: string, desired: number, region?: string) => Promise<void>;
  readonly addFault: (fault: FaultRequest) => Promise<Fault>;
  readonly liftFault: (id: string) => Promise<void>;
  readonly liftAllFaults: () => Promise<void>;
  /** Of one region, or of the whole cloud; gives what holds there then. */
  readonly changeSettings: (changes: Partial<CloudSettings>, region?: string) => Promise<CloudSettings>;
  readonly shutdown: () => Promise<void>;
}

const LIMIT_MS = 60_000;

/** A client of a sandbox's control API. It keeps no connection. */
export function createControlClient(target: ControlTarget): ControlClient {
  const call = <T>(method: string, path: string, body?: object) => callControl<T>(target, method, path, body);
  const done = async (answer: Promise<unknown>): Promise<void> => {
    await answer;
  };
  const instance = (instanceId: string, verb: string, body: object = {}) =>
    done(call('POST', `/instances/${encodeURIComponent(instanceId)}/${verb}`, body));
  return {
    state: () => call('GET', '/state'),
    events: (since) => call('GET', `/events?since=${since}`),
    follow: (since, show, signal) => followEvents(target, since, show, signal),
    onInstance: instance,
    cut: (instanceId, cut) => instance(instanceId, 'cut', cut),
    cutRegion: (region, from) => done(call('POST', `/regions/${encodeURIComponent(region)}/cut`, { from })),
    configure: (instanceId, variables) => instance(instanceId, 'configure', { variables }),
    launchWith: (variables, region) => done(call('POST', '/launches', { variables, region })),
    scale: (group, desired, region) =>
      done(call('POST', `/groups/${encodeURIComponent(group)}/scale`, { desired, region })),
    addFault: (fault) => call('POST', '/faults', fault),
    liftFault: (id) => done(call('DELETE', `/faults/${encodeURIComponent(id)}`)),
    liftAllFaults: () => done(call('DELETE', '/faults')),
    changeSettings: (changes, region) =>
      call(
        'POST',
        `/settings${region === undefined ? '' : `?region=${encodeURIComponent(region)}`}`,
        changes,
      ),
    shutdown: () => done(call('POST', '/shutdown', {})),
  };
}

async function callControl<T>(
  target: ControlTarget,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const sent = request(
    { ...addressOf(target), method, path, agent: false, signal: AbortSignal.timeout(LIMIT_MS) },
    (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        try {
          const parsed: unknown = JSON.parse(text);
          if (answer.statusCode === 200) resolve(parsed as T);
          else reject(new ApplianceError({ code: 'conflict', what: 'sandbox' }, wordsOf(parsed)));
        } catch (error) {
          reject(
            new ApplianceError({ code: 'bad-answer', service: 'sandbox' }, 'the sandbox answered no JSON', {
              cause: error,
            }),
          );
        }
      });
    },
  );
  sent.on('error', (cause) =>
    reject(
      new ApplianceError({ code: 'unavailable', service: 'sandbox' }, 'the sandbox does not answer', {
        cause,
      }),
    ),
  );
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

/** Server-sent events, one JSON object in each. The end of the sandbox, or the signal's, is the end of the stream, not an error. */
async function followEvents(
  target: ControlTarget,
  since: number,
  show: (event: CloudEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(
    { ...addressOf(target), path: `/events/stream?since=${since}`, agent: false },
    (answer) => {
      let pending = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        const parts = `${pending}${chunk}`.split('\n\n');
        pending = parts.pop() ?? '';
        for (const part of parts) show(JSON.parse(part.slice(part.indexOf('data: ') + 6)) as CloudEvent);
      });
      answer.on('close', resolve);
    },
  );
  sent.on('error', (cause) => {
    reject(
      new ApplianceError({ code: 'unavailable', service: 'sandbox' }, 'the sandbox does not answer', {
        cause,
      }),
    );
  });
  sent.end();
  const stop = (): void => {
    resolve();
    sent.destroy();
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function addressOf(target: ControlTarget): { socketPath: string } | { host: string; port: string } {
  if ('socket' in target) return { socketPath: target.socket };
  const { hostname, port } = new URL(target.url);
  return { host: hostname, port };
}

function wordsOf(answer: unknown): string {
  return typeof answer === 'object' && answer !== null && 'error' in answer
    ? String(answer.error)
    : 'refused';
}
