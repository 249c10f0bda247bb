import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Catch, Hunt } from './hunt.ts';

/** Hunts under way. */
export interface Hunters extends AsyncDisposable {
  /** In the order of the hunts, each as it is ready. */
  readonly catches: readonly Promise<Catch>[];
}

/** Sends each hunt to one of so many threads. */
export function sendHunters(hunts: readonly Hunt[], threads: number): Hunters {
  const caught = hunts.map(() => Promise.withResolvers<Catch>());
  // Who awaits them comes later.
  for (const { promise } of caught) promise.catch(() => undefined);
  const workers: Worker[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { execArgv: [] });
    workers.push(worker);
    for (let at = next++; at < hunts.length; at = next++) {
      worker.postMessage(hunts[at]);
      const [answer] = (await once(worker, 'message')) as [Catch | string];
      if (typeof answer === 'string') caught[at]?.reject(new Error(answer));
      else caught[at]?.resolve(answer);
    }
  };
  const lanes = Array.from({ length: threads }, async () =>
    lane().catch((error: unknown) => {
      for (const it of caught) it.reject(error);
    }),
  );
  return {
    catches: caught.map((it) => it.promise),
    async [Symbol.asyncDispose]() {
      // A thread that is in the middle of a hunt never answers.
      next = hunts.length;
      await Promise.all(workers.map(async (it) => await it.terminate()));
      void lanes;
    },
  };
}
