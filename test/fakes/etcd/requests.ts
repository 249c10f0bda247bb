import type { Answer, Attempt } from './calls.ts';
import type { EtcdProcess, Etcds, PendingRequest } from './node.ts';

/** After this the appliance's client gives up; ms. */
const DEADLINE_MS = 2_000;
/** How often a member that thaws does what was asked while it was frozen, though nobody waits for it any more. */
const GHOST_CHANCE = 0.3;

/** The way of a call to a member and back: what it answers at once, or a promise of it. */
export function createRequests(
  etcds: Etcds,
): <T>(from: string, to: string, attempt: Attempt<T>) => Answer<T> | Promise<Answer<T>> {
  const { clock, network, processes } = etcds;
  const later = <T>(words: string): Promise<Answer<T>> => {
    const { promise, resolve } = Promise.withResolvers<Answer<T>>();
    clock.after(DEADLINE_MS, () => resolve(silence(words)));
    return promise;
  };

  return <T>(from: string, to: string, attempt: Attempt<T>): Answer<T> | Promise<Answer<T>> => {
    if (!network.reaches(from, to, 'client')) return later('deadline exceeded');
    const process = processes.get(to);
    // What is cut off on the way back, is not even refused.
    const returns = (): boolean => network.reaches(to, from, 'client');
    if (process === undefined)
      return returns() ? silence('UNAVAILABLE: connection refused') : later('deadline exceeded');
    return begin(etcds, process, attempt, returns);
  };
}

function begin<T>(
  { clock, random }: Etcds,
  process: EtcdProcess,
  attempt: Attempt<T>,
  returns: () => boolean,
): Answer<T> | Promise<Answer<T>> {
  let taken = false;
  let over: Answer<T> | null = null;
  let cancel: (() => void) | null = null;
  let resolve: ((answer: Answer<T>) => void) | null = null;
  const close = (answer: Answer<T>): void => {
    if (over !== null) return;
    over = answer;
    process.requests.delete(request);
    cancel?.();
    resolve?.(answer);
  };
  const settle = (answer: Answer<T>): void => {
    if (returns()) close(answer);
  };
  const request: PendingRequest = {
    retry() {
      const { node, serving, frozen } = process;
      if (taken || node === null || !serving || frozen) return;
      if (over !== null) process.requests.delete(request);
      taken = attempt(node, settle);
    },
    lost: () => close(silence('UNAVAILABLE: the connection was lost')),
  };
  process.requests.add(request);
  request.retry();
  if (over !== null) return over;
  cancel = clock.after(DEADLINE_MS, () => {
    close(silence(taken || process.serving ? 'etcdserver: request timed out' : 'deadline exceeded'));
    if (process.frozen && !taken && random.chance(GHOST_CHANCE)) process.requests.add(request);
  });
  return new Promise<Answer<T>>((settled) => {
    resolve = settled;
  });
}

function silence(message: string): {
  readonly failed: { readonly code: 'no-answer'; readonly message: string };
} {
  return { failed: { code: 'no-answer', message } };
}
