import { planLiveness } from '../core/liveness.ts';
import type { Context } from './context.ts';
import type { RunningEtcd } from './ports.ts';

/** Asks of an etcd that is silent follow each other in less, deadline and pause together; after more, this process stood still. */
const LISTENING_GAP_MS = 10_000;

/** Judges by what it answers whether one process of etcd has failed its liveness (law 7). */
export interface LivenessWatch {
  /** An ask of its client port is over: it answered, be it with a refusal, or it did not. */
  heard(answered: boolean): void;
  /** For how long no ask was answered; 0: the last one was; ms. */
  silentMs(): number;
  /** Whether this very process ever answered. */
  answeredOnce(): boolean;
  /** Kills it where it is dead: its exit starts it again. `askedAt`: when the last ask began; ms. True: it was killed. */
  restartIfDead(askedAt: number, signal: AbortSignal): Promise<boolean>;
}

/** A watch over one process of etcd. Safety rests on none of what it remembers: a restart forgets it. */
export function createLivenessWatch(context: Context, etcd: RunningEtcd): LivenessWatch {
  const { clock, probe, self } = context.ports;
  /** Since when no ask was answered; null: the last one was. */
  let silentSince: number | null = null;
  /** When the last ask ended, answered or not. */
  let listenedAt = clock.now();
  let answeredOnce = false;
  /** Since when a joiner's snapshot has been in place; null: no joiner, or none is. */
  let seededSince: number | null = null;
  let wasBusy = false;
  /** Since when it is seen neither to defragment its database nor to put a snapshot in place, as it was before; null: it was not, or is. */
  let idleSince: number | null = null;

  const silentMs = (): number => (silentSince === null ? 0 : clock.now() - silentSince);

  return {
    heard(answered) {
      const now = clock.now();
      if (answered) {
        silentSince = null;
        answeredOnce = true;
      } else {
        // From the first ask that failed on, one after the other: a thawed appliance has not heard silence, it has not listened.
        if (now - listenedAt > LISTENING_GAP_MS) silentSince = null;
        silentSince ??= now;
      }
      listenedAt = now;
    },
    silentMs,
    answeredOnce: () => answeredOnce,
    async restartIfDead(askedAt, signal) {
      if (context.state.joining && etcd.seeded()) seededSince ??= clock.now();
      const defragments = etcd.defragments();
      const restores = etcd.restores();
      const busy = defragments || restores;
      wasBusy ||= busy;
      // It was done at some time since the last look.
      if (busy) idleSince = null;
      else if (wasBusy) idleSince ??= clock.now();
      const facts = {
        // An ask that began before it was done says nothing of what came after.
        seededMs: seededSince === null ? null : Math.max(0, askedAt - seededSince),
        silentMs: silentMs(),
        answeredOnce,
        defragments,
        restores,
        idleMs: wasBusy ? Math.max(0, askedAt - (idleSince ?? askedAt)) : null,
        far: context.options.far === true,
      };
      let verdict = planLiveness({ ...facts, peersAnswered: null });
      if (verdict.kind === 'ask') {
        const answer = await probe.probe(self.address, signal);
        verdict = planLiveness({ ...facts, peersAnswered: answer.kind === 'answers' });
      }
      context.chronicle.plan('liveness', [verdict.reason]);
      if (verdict.kind !== 'dead') return false;
      context.chronicle.trouble('restart-etcd', verdict.reason);
      await etcd.stop(0);
      return true;
    },
  };
}
