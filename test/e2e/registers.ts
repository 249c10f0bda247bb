import { setTimeout as delay } from 'node:timers/promises';
import { createClientPool, type ClientPool } from '../../src/etcd/admin-client.ts';
import { isDisconnected } from '../../src/etcd/refusals.ts';
import { checkRegister } from '../linearizability/checker.ts';
import { type Call, type Operation, tellCall } from '../linearizability/history.ts';

const PREFIX = 'registers/';
/** Of each client, from the end of one operation to the next; as dear as a write (writers.ts). */
const PACE_MS = 60;
/** After a failure: a member that refuses every call at once would fill the history with calls that say nothing. */
const PAUSE_MS = 200;
const DEADLINE_MS = 2_000;
/** Registers at a time, so that clients meet; others every few seconds, so that no history is too long to be checked. */
const AT_A_TIME = 2;
const EPOCH_MS = 4_000;

/** Clients that read, write and swap the same few registers all the time, each preferring another member. */
export interface Registers {
  /** Operations with an answer. */
  readonly answered: () => number;
  /** Registers whose history no single register can have made, each with where it breaks; empty where all is well. */
  readonly broken: () => readonly string[];
  readonly stop: () => Promise<void>;
}

/** Starts `count` clients. Reads are linearizable, which is etcd's default. All times are of this process's one monotonic clock. */
export function startRegisters(endpoints: () => readonly string[], count = 4): Registers {
  const stopping = new AbortController();
  const pool = createClientPool();
  const histories = new Map<string, Call[]>();
  const beganMs = performance.now();
  let answered = 0;

  const note = (key: string, call: Call): void => {
    const history = histories.get(key) ?? [];
    histories.set(key, history);
    history.push(call);
    if (call.returnedMs !== null) answered += 1;
  };

  const act = async (client: number): Promise<void> => {
    let favourite = client;
    /** What it saw last, by register: what it expects when it swaps. */
    const seen = new Map<string, string | null>();
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      const all = endpoints();
      const endpoint = all[favourite % Math.max(1, all.length)];
      const epoch = Math.floor((performance.now() - beganMs) / EPOCH_MS);
      const key = `${PREFIX}${epoch}/${Math.floor(Math.random() * AT_A_TIME)}`;
      const asked = ask(`${client}.${number}`, seen.get(key) ?? null);
      const calledMs = performance.now();
      const did = endpoint === undefined ? null : await carryOut(pool, endpoint, key, asked);
      const returnedMs = performance.now();
      if (did !== null) {
        note(key, { client: `client ${client}`, operation: did, calledMs, returnedMs });
        seen.set(key, holdsAfter(did));
      } else {
        if (endpoint !== undefined)
          note(key, { client: `client ${client}`, operation: asked, calledMs, returnedMs: null });
        favourite += 1;
      }
      const pauseMs = did === null ? PAUSE_MS : PACE_MS;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const acting = Promise.all(Array.from({ length: count }, (_, client) => act(client)));

  return {
    answered: () => answered,
    broken: () => [...histories].flatMap(([key, history]) => breakOf(key, history)),
    stop: async () => {
      stopping.abort();
      await acting;
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
): Promise<Operation | null> {
  try {
    return await call(pool, endpoint, key, operation);
  } catch (error) {
    if (isDisconnected(error)) pool.drop(endpoint);
    return null;
  }
}

async function call(
  pool: ClientPool,
  endpoint: string,
  name: string,
  operation: Operation,
): Promise<Operation> {
  const { kv } = pool.get(endpoint);
  const options = { deadline: Date.now() + DEADLINE_MS };
  const key = Buffer.from(name);
  switch (operation.kind) {
    case 'read': {
      const { kvs } = await kv.range({ key, serializable: false }, options);
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
