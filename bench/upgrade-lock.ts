import { setTimeout as delay } from 'node:timers/promises';
import { UPGRADE_LOCK_KEY } from '../src/core/upgrade-record.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import { type Group, running } from './group.ts';
import { type Line, readLines } from './log-lines.ts';
import { until } from './wait.ts';

/** How often it is looked who holds the upgrade lock. */
const LOCK_LOOK_MS = 50;

/** Somebody had the lock, from the first look that saw it to the last; epoch ms. */
export interface Hold {
  /** Instance id. */
  readonly holder: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What was done under a lock: a member stepped, cleared its log, or had all take snapshots of theirs. */
export type UnderLock = 'step' | 'clear' | 'snapshot';

const CODES: ReadonlyMap<string, UnderLock> = new Map([
  ['upgrade-stepped', 'step'],
  ['upgrade-cleared', 'clear'],
  ['upgrade-snapshots', 'snapshot'],
]);

/**
 * How long each thing that was done under the lock had it, in ms. What its holder did not say is left out; it says so as it lets
 * the lock go, and so a moment before or after the last look that saw it.
 */
export function spansOf(
  holds: readonly Hold[],
  lines: readonly Line[],
): ReadonlyMap<UnderLock, readonly number[]> {
  const spans = new Map<UnderLock, readonly number[]>();
  for (const [index, { holder, fromMs, toMs }] of holds.entries()) {
    const nextMs = holds[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const said = lines
      .filter(({ instanceId, atMs }) => instanceId === holder && atMs >= fromMs && atMs < nextMs)
      .flatMap(({ line }) => CODES.get(String(line['reason'])) ?? [])[0];
    if (said !== undefined) spans.set(said, [...(spans.get(said) ?? []), toMs - fromMs]);
  }
  return spans;
}

/** Until nobody holds the upgrade lock: who stepped last still says so, and comes back to the names. */
export async function untilLockIsFree({ sandbox, admin, signal }: Group): Promise<void> {
  const missing = async (): Promise<readonly string[]> => {
    const [first] = running(sandbox);
    const lock = await admin.read(
      clientUrl(first?.address ?? ''),
      UPGRADE_LOCK_KEY,
      { serializable: false },
      signal,
    );
    if (!lock.known) return [lock.reason];
    return lock.value === null ? [] : [`${lock.value.value} has it`];
  };
  await until('the upgrade lock is free', performance.now(), missing, signal);
}

/** Looks who holds the upgrade lock until it is ended; gives then how long what was done under it took. */
export function watchLock(group: Group): {
  readonly end: () => Promise<ReadonlyMap<UnderLock, readonly number[]>>;
} {
  const { sandbox, admin, signal } = group;
  const over = new AbortController();
  const holds: (Hold & { readonly key: string; toMs: number })[] = [];
  const epochMs = (): number => performance.timeOrigin + performance.now();
  const look = async (): Promise<void> => {
    while (!over.signal.aborted && !signal.aborted) {
      const fromMs = epochMs();
      const answers = await Promise.all(
        running(sandbox).map(({ address }) =>
          admin.read(clientUrl(address), UPGRADE_LOCK_KEY, { serializable: true }, signal),
        ),
      );
      const held = answers.flatMap((it) => (it.known && it.value !== null ? [it.value] : []))[0];
      const hold = holds.find(({ key }) => key === held?.createRevision);
      if (hold !== undefined) hold.toMs = epochMs();
      else if (held !== undefined)
        holds.push({ key: held.createRevision, holder: held.value, fromMs, toMs: epochMs() });
      await delay(LOCK_LOOK_MS);
    }
  };
  const looking = look();
  return {
    end: async () => {
      over.abort();
      await looking;
      return spansOf(holds, readLines(sandbox.addresses.stateDir));
    },
  };
}
