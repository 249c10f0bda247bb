import { known, unknown } from '../../src/core/known.ts';
import type { Known } from '../../src/core/known.ts';
import type { ChangeOutcome, RecordChange, RecordSet } from '../../src/core/records.ts';
import type { ZonePort } from '../../src/daemon/ports.ts';

/** What can be made to happen to the next change. `lost` is taken and its answer lost; `unknown` is not taken. */
export type ZoneFailure = 'busy' | 'unknown' | 'lost';

/** A hosted zone in memory, with Route 53's compare-and-swap, for any number of appliances at once. */
export interface FakeZone {
  /** The view of one cluster name; each appliance of the cluster gets one. */
  port(name: string): ZonePort;
  /** The next changes, of whichever appliance, fail like this. */
  failNext(failure: ZoneFailure, times?: number): void;
  /** What was to fail next does not. */
  failNoMore(): void;
  /** Until called with null: no list and no change gets an answer, nothing is taken. */
  breakDown(reason: string | null): void;
  /** Until called with null: no change is taken, and all can be read. */
  denyChanges(message: string | null): void;
  /** Until called with false: every list is as it would be now, whatever is changed since. */
  listAsNow(on: boolean): void;
  /** A record of somebody else's (an alias) stands at this name: no list of ours shows it, and nothing can be made there. */
  occupy(name: string | null): void;
  /** A person changes records, past every failure; the batch must fit. */
  edit(changes: readonly RecordChange[]): void;
  /** Everything in the zone, in Route 53's order. */
  records(): readonly RecordSet[];
  /** Batches that were taken, oldest first. */
  readonly taken: readonly (readonly RecordChange[])[];
  /** Calls of list and change, answered or not. */
  calls(): number;
}

/** Makes an empty zone. */
export function createFakeZone(zoneName: string, zoneId = 'ZFAKE'): FakeZone {
  let sets: ReadonlyMap<string, RecordSet> = new Map();
  let broken: string | null = null;
  let denied: string | null = null;
  let occupied: string | null = null;
  /** What is listed; null: what is there. */
  let shown: readonly RecordSet[] | null = null;
  let calls = 0;
  const failures: ZoneFailure[] = [];
  const taken: (readonly RecordChange[])[] = [];
  let sorted: readonly RecordSet[] | null = [];
  const all = (): readonly RecordSet[] =>
    (sorted ??= [...sets.values()]
      .map((set) => ({ set, order: orderOf(set) }))
      .sort((a, b) => compare(a.order, b.order))
      .map((it) => it.set));

  /** Null, or why the batch was refused. */
  const take = (changes: readonly RecordChange[]): string | null => {
    const next = applied(sets, changes, zoneName);
    if (typeof next === 'string') return next;
    sets = next;
    sorted = null;
    taken.push(changes);
    return null;
  };
  const change = (changes: readonly RecordChange[]): ChangeOutcome => {
    if (changes.length === 0) return { kind: 'done' };
    if (broken !== null) return { kind: 'unknown', message: broken };
    if (denied !== null) return { kind: 'busy', message: denied };
    const failure = failures.shift();
    if (failure === 'busy') return { kind: 'busy', message: 'Throttling' };
    if (failure === 'unknown') return { kind: 'unknown', message: 'no answer' };
    if (changes.some(({ action, record }) => action === 'CREATE' && record.name === occupied))
      return {
        kind: 'conflict',
        message: `Tried to create resource record set [name='${occupied}.'] but it already exists`,
      };
    const conflict = take(changes);
    if (conflict !== null) return { kind: 'conflict', message: conflict };
    return failure === 'lost' ? { kind: 'unknown', message: 'no answer' } : { kind: 'done' };
  };

  return {
    port: (name) => ({
      register: `route53:${zoneId}/_etcd-cluster.${name}`,
      list: async (signal): Promise<Known<readonly RecordSet[]>> => {
        calls += 1;
        await Promise.resolve();
        signal.throwIfAborted();
        if (broken !== null) return unknown(broken);
        return known((shown ?? all()).filter((set) => set.name === name || set.name.endsWith(`.${name}`)));
      },
      change: async (changes, signal) => {
        calls += 1;
        await Promise.resolve();
        signal.throwIfAborted();
        return change(changes);
      },
    }),
    failNext: (failure, times = 1) => {
      for (let i = 0; i < times; i += 1) failures.push(failure);
    },
    failNoMore: () => {
      failures.length = 0;
    },
    breakDown: (reason) => {
      broken = reason;
    },
    denyChanges: (message) => {
      denied = message;
    },
    listAsNow: (on) => {
      shown = on ? all() : null;
    },
    occupy: (name) => {
      occupied = name;
    },
    edit: (changes) => {
      const conflict = take(changes);
      if (conflict !== null) throw new Error(conflict);
    },
    records: all,
    taken,
    calls: () => calls,
  };
}

/** The zone after the batch, or why it was refused whole. */
function applied(
  before: ReadonlyMap<string, RecordSet>,
  changes: readonly RecordChange[],
  zoneName: string,
): ReadonlyMap<string, RecordSet> | string {
  const after = new Map(before);
  /** What was done to a set so far: it may be changed once in a batch, or deleted and then made anew. */
  const changed = new Map<string, RecordChange['action']>();
  for (const { action, record } of changes) {
    const key = keyOf(record);
    const what = `[name='${record.name}.', type='${record.type}']`;
    const current = after.get(key);
    const earlier = changed.get(key);
    if (earlier === 'CREATE' || (earlier === 'DELETE' && action === 'DELETE'))
      return `The request contains an invalid set of changes for a resource record set ${what}`;
    changed.set(key, action);
    const malformed = problemOf(record, zoneName);
    if (malformed !== null) return `${what}: ${malformed}`;
    if (action === 'CREATE') {
      if (current !== undefined) return `Tried to create resource record set ${what} but it already exists`;
      after.set(key, record);
    } else {
      if (current === undefined) return `Tried to delete resource record set ${what} but it was not found`;
      if (!isSame(current, record)) {
        return `Tried to delete resource record set ${what} but the values provided do not match the current values`;
      }
      after.delete(key);
    }
  }
  return after;
}

const SRV = /^\d{1,5} \d{1,5} \d{1,5} \S+$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
/** One or more quoted strings of at most 255 characters. */
const TXT = /^"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*$/;

function problemOf({ name, type, values }: RecordSet, zoneName: string): string | null {
  if (name !== zoneName && !name.endsWith(`.${zoneName}`)) return `not in zone ${zoneName}`;
  if (name !== name.toLowerCase() || name.endsWith('.')) return 'the name is not as the core writes names';
  if (values.length === 0) return 'no values';
  if (new Set(values).size < values.length) return 'a value twice';
  const form = type === 'A' ? IPV4 : type === 'SRV' ? SRV : TXT;
  const bad = values.find((value) => !form.test(value) || value.length > 4_000);
  return bad === undefined ? null : `malformed value ${bad}`;
}

function isSame(one: RecordSet, other: RecordSet): boolean {
  return one.ttl === other.ttl && one.values.toSorted().join('\n') === other.values.toSorted().join('\n');
}

function keyOf(record: RecordSet): string {
  return `${record.name} ${record.type}`;
}

/** Route 53 lists by reversed labels with the final dot, then by type. */
function orderOf(record: RecordSet): string {
  return `${record.name.split('.').toReversed().join('.')}. ${record.type}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
