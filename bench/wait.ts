import { setTimeout as delay } from 'node:timers/promises';
import { votersOf } from '../src/core/members.ts';
import type { EtcdAdmin } from '../src/etcd/admin.ts';
import { gone, startTimeOf } from '../src/sandbox/processes.ts';

/** A step that takes longer than this fails the run: that is a bug, or a machine that cannot be measured on. */
const LIMIT_MS = 120_000;
/** Short beside what is measured, long enough not to take the processors from it. */
const LOOK_AGAIN_MS = 10;
const KEY = 'bench/key';

/** Looks until nothing is missing; gives how long that took, in ms from `sinceMs` (monotonic). Throws at a limit. */
export async function until(
  what: string,
  sinceMs: number,
  missing: () => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<number> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    signal.throwIfAborted();
    const left = await missing();
    const now = performance.now();
    if (left.length === 0) return now - sinceMs;
    if (now >= end) throw new Error(`${what}: not within ${LIMIT_MS} ms: ${left.join('; ')}`);
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** What keeps the members behind `endpoints` from being the voters of one cluster that all serve. */
export async function missingVoters(
  admin: EtcdAdmin,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const answers = await Promise.all(
    endpoints.map((endpoint) => admin.memberList(endpoint, { linearizable: true }, signal)),
  );
  return answers.flatMap((answer, index) => {
    if (!answer.known) return [`${endpoints[index] ?? ''}: ${answer.reason}`];
    const { members } = answer.value;
    const voters = votersOf(members).flatMap(({ clientUrls }) => clientUrls);
    const right =
      voters.length === members.length && voters.toSorted().join() === endpoints.toSorted().join();
    return right ? [] : [`${endpoints[index] ?? ''} sees ${members.length} members, voters ${voters.join()}`];
  });
}

/** From a SIGKILL until the member answers a linearizable read by itself; ms. */
export async function untilHealthy(
  admin: EtcdAdmin,
  endpoint: string,
  killedMs: number,
  signal: AbortSignal,
): Promise<number> {
  return await until(
    `${endpoint} is healthy`,
    killedMs,
    async () => {
      const answer = await admin.read(endpoint, KEY, { serializable: false }, signal);
      return answer.known ? [] : [answer.reason];
    },
    signal,
  );
}

/**
 * From a SIGKILL until a write through one of these members is acknowledged; ms. Writes are sent without waiting for those
 * before: one that a follower passed on to a leader that is dead is never answered.
 */
export async function untilWritten(
  admin: EtcdAdmin,
  endpoints: readonly string[],
  killedMs: number,
  signal: AbortSignal,
): Promise<number> {
  let writtenMs: number | null = null;
  const write = async (endpoint: string): Promise<void> => {
    const put = await admin.put(endpoint, KEY, String(killedMs), {}, signal);
    if (put.known && put.value) writtenMs ??= performance.now();
  };
  await until(
    'a write succeeds',
    killedMs,
    async () => {
      // An answer after the end is nobody's; only an abort throws, and the wait beside it throws it, too.
      for (const endpoint of endpoints) void write(endpoint).catch(() => undefined);
      await Promise.resolve();
      return writtenMs === null ? ['none was acknowledged'] : [];
    },
    signal,
  );
  return (writtenMs ?? Number.NaN) - killedMs;
}

/** etcd's own limit, 5 s, and a little. */
const CLOCKS_SETTLE_MS = 6_000;

/**
 * Until a member that was started just before has done what it does once, when it hears from its peers: it sets its election
 * clock ahead. A leader that is killed right then is replaced in 0.2 s, by chance; both sides are measured after it.
 */
export async function electionClocksSettle(signal: AbortSignal): Promise<void> {
  await delay(CLOCKS_SETTLE_MS, undefined, { signal });
}

/** Ends a process by SIGKILL; gives the moment of it (monotonic ms) once it is gone, so that no answer is its own. */
export async function kill(pid: number): Promise<number> {
  const startTime = startTimeOf(pid);
  const killedMs = performance.now();
  process.kill(pid, 'SIGKILL');
  await gone(pid, startTime);
  return killedMs;
}

/** Index of the leader's endpoint. Throws where nobody leads. */
export async function leaderIndex(
  admin: EtcdAdmin,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const statuses = await Promise.all(endpoints.map((endpoint) => admin.status(endpoint, signal)));
  const index = statuses.findIndex((it) => it.known && it.value.leader === it.value.memberId);
  if (index < 0) throw new Error(`nobody leads among ${endpoints.join()}`);
  return index;
}
