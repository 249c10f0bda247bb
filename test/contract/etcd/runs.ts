import type { EtcdExit } from '../../../src/core/local-data.ts';
import type { RunningEtcd } from '../../../src/daemon/ports.ts';

/** The runs of a real etcd on one machine, one after the other. */
export interface Runs {
  began(running: RunningEtcd): void;
  /** The one that runs; null: none does. */
  running(): RunningEtcd | null;
  /** How the last one ended; null: it runs, or there was none. */
  exit(): EtcdExit | null;
  /** Ends whatever of them has not ended. */
  endAll(): Promise<void>;
}

/** Book of the runs: the end of an older one, which may be noticed late, is not the newest one's. */
export function createRuns(): Runs {
  const all: RunningEtcd[] = [];
  let last: { readonly run: RunningEtcd; exit: EtcdExit | null } | null = null;
  return {
    began(running) {
      const run = { run: running, exit: null as EtcdExit | null };
      all.push(running);
      last = run;
      void running.exited.then((exit) => (run.exit = exit));
    },
    running: () => (last?.exit === null ? last.run : null),
    exit: () => last?.exit ?? null,
    async endAll() {
      await Promise.all(all.map(async (it) => await it.stop(0)));
    },
  };
}
