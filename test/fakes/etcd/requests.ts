import type { Answer, Attempt } from './calls.ts';
import type { EtcdProcess, Etcds, PendingRequest } from './node.ts';

/** After this the appliance's client gives up; ms. */
const DEADLINE_MS = 2_000;
/** How often a member that thaws does what was asked while it was frozen, though nobody waits for it any more. */
const GHOST_CHANCE = 0.3;

/** The way of a call to a member and back. */
export function createRequests(
  etcds: Etcds,
): <T>(from: string, to: string, attempt: Attempt<T>) => Promise<Answer<T>> {
  const { clock, network, processes } = etcds;
  const later = <T>(words: string): Promise<Answer<T>> => {
    const { promise, resolve } = Promise.withResolvers<Answer<T>>();
    clock.after(DEADLINE_MS, () => resolve(silence(words)));
    return promise;
  };

  return async <T>(from: string, to: string, attempt: Attempt<T>): Promise<Answer<T>> => {
    if (!network.reaches(from, to, 'client')) return await later('deadline exceeded');
    const process = processes.get(to);
    // What is cut off on the way back, is not even refused.
    const returns = (): boolean => network.reaches(to, from, 'client');
    if (process === undefined)
      return returns() ? silence('UNAVAILABLE: connection refused') : await later('deadline exceeded');
    const { promise, resolve } = Promise.withResolvers<Answer<T>>();
    begin(etcds, process, attempt, resolve, returns);
    return await promise;
  };
}

function begin<T>(
  { clock, random }: Etcds,
  process: EtcdProcess,
  attempt: Attempt<T>,
  resolve: (answer: Answer<T>) => void,
  returns: () => boolean,
): void {
  let taken = false;
  let over = false;
  let cancel: (() => void) | null = null;
  const close = (answer: Answer<T>): void => {
    if (over) return;
    over = true;
    process.requests.delete(request);
    cancel?.();
    resolve(answer);
  };
  const settle = (answer: Answer<T>): void => {
    if (returns()) close(answer);
  };
  const request: PendingRequest = {
    retry() {
      const { node, serving, frozen } = process;
      if (taken || node === null || !serving || frozen) return;
      if (over) process.requests.delete(request);
      taken = attempt(node, settle);
    },
    lost: () => close(silence('UNAVAILABLE: the connection was lost')),
  };
  process.requests.add(request);
  request.retry();
  if (over) return;
  cancel = clock.after(DEADLINE_MS, () => {
    close(silence(taken || process.serving ? 'etcdserver: request timed out' : 'deadline exceeded'));
    if (process.frozen && !taken && random.chance(GHOST_CHANCE)) process.requests.add(request);
  });
}

function silence(message: string): {
  readonly failed: { readonly code: 'no-answer'; readonly message: string };
} {
  return { failed: { code: 'no-answer', message } };
}
