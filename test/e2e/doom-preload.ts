import { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ClientRequest } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Doom } from './doom.ts';
import { keyOfTxn, recordsOfChange } from './step-names.ts';

/*
 * Loaded into an appliance before anything of its own (node --import), as nothing of the appliance's knows: ends its
 * process, as a kill -9 from outside would, at the very step that the test's doom.json names. A step is a call to AWS
 * or etcd that changes something, or a start of etcd.
 */

const HOME = process.env['HOME'] ?? '';
const INSTANCE_ID = basename(HOME);
const STATE_DIR = dirname(HOME);

const CHANGING_RPC =
  /\/(MemberAdd|MemberRemove|MemberPromote|MemberUpdate|MoveLeader|LeaseGrant|LeaseRevoke|Txn|Put|Downgrade)$/;
/** Auto Scaling's and EC2's actions that change nothing. */
const ASKING_ACTION = /^(Describe|Get|List)/;

let counted = { doom: '', times: 0 };
/** Calls at whose answer this process ends. */
const lastCalls = new WeakMap<object, { readonly doom: Doom; readonly step: string }>();

function readDoom(): Doom | null {
  try {
    const doom = JSON.parse(readFileSync(join(STATE_DIR, 'doom.json'), 'utf8')) as Doom;
    return doom.afterwards !== undefined && isFulfilled(doom)
      ? { ...doom.afterwards, id: `${doom.id}-then` }
      : doom;
  } catch {
    return null;
  }
}

function isFulfilled({ id }: Doom): boolean {
  return existsSync(join(STATE_DIR, `doom-${id}`));
}

/** A step is about to be taken. `call`: by whose answer it is known to be done; `about`: what it changes. */
function onStep(brief: string, call: object | null, about: string | null = null): void {
  const doom = readDoom();
  const step = doom?.inFull === true && about !== null ? `${brief} ${about}` : brief;
  if (doom === null || doom.instanceIds.includes(INSTANCE_ID) !== (doom.meant === 'these')) return;
  // Whoever joins asks whether one is under way: no step, but of those that it is meant for.
  if (step === 'Downgrade' && doom.step !== step) return;
  // Also after the crash: what comes after the step is known by nothing else.
  appendFileSync(join(STATE_DIR, `doom-${doom.id}.steps`), `${INSTANCE_ID} ${step}\n`);
  if (step !== doom.step || isFulfilled(doom)) return;
  if (counted.doom !== doom.id) counted = { doom: doom.id, times: 0 };
  counted.times += 1;
  if (counted.times !== doom.nth) return;
  if (doom.when === 'before') end(doom, `before ${step}`);
  else if (call !== null) lastCalls.set(call, { doom, step });
}

function onAnswer(call: object): void {
  const last = lastCalls.get(call);
  // Of an etcd that was started right now nothing is written down yet.
  const started = call instanceof ChildProcess ? call.pid : undefined;
  if (last !== undefined) end(last.doom, `after ${last.step}`, started);
}

function end(doom: Doom, where: string, etcdPid?: number): void {
  try {
    // Of all instances and of all lives of one, only the first that gets here ends.
    writeFileSync(join(STATE_DIR, `doom-${doom.id}`), `${INSTANCE_ID} ${where}`, { flag: 'wx' });
  } catch {
    return;
  }
  if (doom.withEtcd) killEtcd(etcdPid);
  process.kill(process.pid, 'SIGKILL');
}

function killEtcd(startedPid?: number): void {
  try {
    process.kill(startedPid ?? writtenPid(), 'SIGKILL');
  } catch {
    // None runs.
  }
}

function writtenPid(): number {
  const text = readFileSync(join(HOME, 'data/etcd-process.json'), 'utf8');
  return (JSON.parse(text) as { readonly pid: number }).pid;
}

subscribe('http2.client.stream.created', (message) => {
  const { stream, headers } = message as { readonly stream: object; readonly headers: object };
  const path = String((headers as Readonly<Record<string, unknown>>)[':path']);
  const rpc = CHANGING_RPC.exec(path)?.[1];
  if (rpc === 'Txn') beforeWrite(stream as Writable, (message) => onStep(rpc, stream, keyOfTxn(message)));
  else if (rpc !== undefined) onStep(rpc, stream);
});

/** Has a look at what is written first, before it is: until then nothing was asked. */
function beforeWrite(stream: Writable, look: (message: Uint8Array) => void): void {
  const write = stream.write;
  stream.write = function (this: Writable, ...args: readonly unknown[]) {
    stream.write = write;
    look(args[0] as Uint8Array);
    return Reflect.apply(write, this, args) as boolean;
  } as typeof write;
}

subscribe('http2.client.stream.finish', (message) =>
  onAnswer((message as { readonly stream: object }).stream),
);
subscribe('http.client.response.finish', (message) =>
  onAnswer((message as { readonly request: object }).request),
);

const sendRequest = ClientRequest.prototype.end;
ClientRequest.prototype.end = function (this: ClientRequest, ...args: readonly unknown[]) {
  const step = stepOf(this, args[0]);
  if (step !== null) onStep(step.brief, this, step.about);
  return Reflect.apply(sendRequest, this, args) as ClientRequest;
} as typeof sendRequest;

/** The name of the call, and what it is about, where it changes something at AWS; null for all else. */
function stepOf(
  request: ClientRequest,
  body: unknown,
): { readonly brief: string; readonly about: string | null } | null {
  if (request.method !== 'POST') return null;
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body.toString() : '';
  if (request.path.includes('/rrset'))
    return { brief: 'ChangeResourceRecordSets', about: recordsOfChange(text) };
  const action = /(?:^|&)Action=(\w+)/.exec(text)?.[1];
  return action === undefined || ASKING_ACTION.test(action) ? null : { brief: action, about: null };
}

/** Node's own, which its types do not show. */
interface Spawning {
  spawn(options: { readonly args?: readonly string[] }): unknown;
}
const starting = ChildProcess.prototype as unknown as Spawning;
const spawn = starting.spawn;
starting.spawn = function (this: Spawning, options) {
  // Not etcdutl, which is given the same folder as two words to look at.
  const isEtcd = options.args?.some((arg) => arg.startsWith('--data-dir=')) === true;
  if (isEtcd) onStep('start of etcd', this);
  const result = Reflect.apply(spawn, this, [options]) as unknown;
  if (isEtcd) onAnswer(this);
  return result;
};
