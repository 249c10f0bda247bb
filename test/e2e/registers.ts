import { setTimeout as delay } from 'node:timers/promises';
import { createClientPool, type ClientPool } from '../../src/etcd/admin-client.ts';
import { isDisconnected, isLate } from '../../src/etcd/refusals.ts';
import { checkRegister } from '../linearizability/checker.ts';
import { type Call, type Operation, tellCall } from '../linearizability/history.ts';
import { createPins } from './pins.ts';

/** Of so many clients, each from the end of one operation to the next; as dear as a write (writers.ts). */
const PACE_MS = 60;
const CLIENTS = 4;
/** After a failure: a member that refuses every call at once would fill the history with calls that say nothing. */
const PAUSE_MS = 200;
const DEADLINE_MS = 2_000;
/** Registers at a time, so that clients meet; others every few seconds, so that no history is too long to be checked. */
const AT_A_TIME = 2;
const EPOCH_MS = 4_000;

/** Clients that read, write and swap the same few registers all the time, at least one at each member, whatever fails there. */
export interface Registers {
  /** Members that are there, through which no read that began since then (performance.now()) has an answer. */
  readonly silentSince: (ms: number) => readonly string[];
  /** Registers whose history no single register can have made, each with where it breaks; empty where all is well. */
  readonly broken: () => readonly string[];
  readonly stop: () => Promise<void>;
}

export interface RegistersOptions {
  /** What the names of the registers begin with. */
  readonly prefix?: string;
  /** What is wrong on purpose: the member at this endpoint is asked for what it holds itself, and `broken` must find that out. */
  readonly serializableAt?: string;
}

/** Reads are linearizable, which is etcd's default. All times are of this process's one monotonic clock. */
export function startRegisters(
  endpoints: () => readonly string[],
  { prefix = 'registers/', serializableAt }: RegistersOptions = {},
): Registers {
  const stopping = new AbortController();
  const pool = createClientPool();
  const pins = createPins(endpoints);
  const histories = new Map<string, Call[]>();
  /** Through each member, when the last read with an answer began. */
  const heard = new Map<string, number>();
  const beganMs = performance.now();
  const acting: Promise<void>[] = [];

  /** Noted as it begins: what it does may be seen by others before it ends. Gives what notes its end. */
  const begin = (key: string, call: Call): ((end: Partial<Call>) => void) => {
    const history = histories.get(key) ?? [];
    histories.set(key, history);
    const at = history.push(call) - 1;
    return (end) => {
      history[at] = { ...call, ...end };
    };
  };

  const act = async (client: number): Promise<void> => {
    /** What it saw last, by register: what it expects when it swaps. */
    const seen = new Map<string, string | null>();
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      startEnough();
      const endpoint = pins.of(client);
      const epoch = Math.floor((performance.now() - beganMs) / EPOCH_MS);
      const key = `${prefix}${epoch}/${Math.floor(Math.random() * AT_A_TIME)}`;
      const asked = ask(`${client}.${number}`, seen.get(key) ?? null);
      const calledMs = performance.now();
      let did: Operation | null = null;
      if (endpoint !== null) {
        const call = {
          client: `client ${client} at ${endpoint}`,
          operation: asked,
          calledMs,
          returnedMs: null,
        };
        const end = begin(key, call);
        did = await carryOut(pool, endpoint, key, asked, endpoint === serializableAt);
        if (did !== null) end({ operation: did, returnedMs: performance.now() });
        if (did?.kind === 'read') heard.set(endpoint, Math.max(calledMs, heard.get(endpoint) ?? calledMs));
      }
      if (did !== null) seen.set(key, holdsAfter(did));
      // More clients together ask no more than few.
      const pauseMs = did === null ? PAUSE_MS : (PACE_MS * acting.length) / CLIENTS;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const startEnough = (): void => {
    while (acting.length < Math.max(CLIENTS, endpoints().length)) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const client = acting.push(promise) - 1;
      act(client).then(resolve, reject);
    }
  };
  startEnough();

  return {
    silentSince: (ms) => endpoints().filter((endpoint) => (heard.get(endpoint) ?? -Infinity) < ms),
    broken: () => [...histories].flatMap(([key, history]) => breakOf(key, history)),
    stop: async () => {
      stopping.abort();
      await Promise.all(acting);
      pool[Symbol.dispose]();
    },
  };
}

/** What to do next, to be completed by what it gives. */
function ask(value: string, expected: string | null): Operation {
  const dice = Math.random();
  if (dice < 0.5) return { kind: 'read', value: null };
  if (dice < 0.75) return { kind: 'write', value };
  return { kind: 'swap', from: expected, to: value, saw: null };
}

function holdsAfter(operation: Operation): string | null {
  if (operation.kind !== 'swap') return operation.value;
  return operation.saw === operation.from ? operation.to : operation.saw;
}

/**
 * What it gave; null: no answer. Whatever the error says, it may have been sent then: a call that met the end of its
 * connection is begun again by gRPC, and "no connection" tells of the second try alone.
 */
async function carryOut(
  pool: ClientPool,
  endpoint: string,
  key: string,
  operation: Operation,
  serializable: boolean,
): Promise<Operation | null> {
  try {
    return await call(pool, endpoint, key, operation, serializable);
  } catch (error) {
    if (isDisconnected(error) || isLate(error)) pool.drop(endpoint);
    return null;
  }
}

async function call(
  pool: ClientPool,
  endpoint: string,
  name: string,
  operation: Operation,
  serializable: boolean,
): Promise<Operation> {
  const { kv } = pool.get(endpoint);
  const options = { deadline: Date.now() + DEADLINE_MS };
  const key = Buffer.from(name);
  switch (operation.kind) {
    case 'read': {
      const { kvs } = await kv.range({ key, serializable }, options);
      return { ...operation, value: kvs[0]?.value.toString('utf8') ?? null };
    }
    case 'write':
      await kv.put({ key, value: Buffer.from(operation.value) }, options);
      return operation;
    case 'swap': {
      const { from, to } = operation;
      const answer = await kv.txn(
        {
          compare: [from === null ? absent(key) : holds(key, from)],
          success: [{ request_put: { key, value: Buffer.from(to) } }],
          failure: [{ request_range: { key } }],
        },
        options,
      );
      if (answer.succeeded) return { ...operation, saw: from };
      const [first] = answer.responses[0]?.response_range?.kvs ?? [];
      return { ...operation, saw: first?.value.toString('utf8') ?? null };
    }
  }
}

function absent(key: Buffer) {
  return { target: 'Create', result: 'Equal', key, create_revision: '0' } as const;
}

function holds(key: Buffer, value: string) {
  return { target: 'Value', result: 'Equal', key, value: Buffer.from(value) } as const;
}

/** Calls that are told before and after the one that does not fit. */
const TOLD = 12;

function breakOf(key: string, history: readonly Call[]): readonly string[] {
  const judgement = checkRegister(history);
  switch (judgement.kind) {
    case 'linearizable':
      return [];
    case 'undecided':
      return [`${key}: not decided after ${judgement.steps} steps (${history.length} calls)`];
    case 'impossible': {
      const { longest, stuckAt } = judgement;
      const around = history.filter(
        ({ calledMs, returnedMs }) =>
          calledMs <= (stuckAt.returnedMs ?? Infinity) && (returnedMs ?? Infinity) >= stuckAt.calledMs - 500,
      );
      return [
        [
          `${key}: of ${history.length} calls ${longest.length} can be put in an order, this one not: ${tellCall(stuckAt)}`,
          ...longest.slice(-TOLD).map((it) => `  placed: ${tellCall(it)}`),
          ...around.slice(-TOLD).map((it) => `  around: ${tellCall(it)}`),
        ].join('\n'),
      ];
    }
  }
}
