import type { Transition } from './fake-hooks.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createFleetChecks, isRecoverable, whyNotConverged } from './fleet-checks.ts';
import { strike } from './fleet-faults.ts';
import { createSeededRandom } from './seeded-random.ts';

/** How a fleet fared. */
export interface Ending {
  readonly seed: number;
  /** `lost`: so much data went that only a recovery could help; then nothing but safety was demanded. */
  readonly kind: 'converged' | 'lost' | 'wrong' | 'stuck';
  /** What was wrong, or where it is stuck. */
  readonly why: string;
  /** From the end of the last fault; ms. */
  readonly convergedInMs: number;
  readonly history: readonly string[];
}

/** Longest wait for convergence after the last fault: two forming limits, and what follows; ms. */
const PATIENCE_MS = 20 * 60_000;

/** The life of one fleet: it is launched, faults come as the seed says, the last one ends, and it must find itself. */
export async function playFleet(seed: number, desired: number): Promise<Ending> {
  const plot = createSeededRandom(seed);
  const checks = createFleetChecks();
  const hooks: readonly Transition[] = plot.chance(0.3) ? ['launching', 'terminating'] : [];
  const bootstrapWaitMs = plot.pick([15_000, 120_000]);
  const fleet = createFleet({ seed, desired, hooks, bootstrapWaitMs }, checks.watch);
  const faults = plot.int(1, 6);
  // Some come during the birth, others when all is long well.
  const firstAt = plot.pick([plot.int(0, 4_000), plot.int(0, 12_000), plot.int(8_000, 40_000)]);
  const run = async (until: () => boolean): Promise<void> => {
    while (checks.wrongs.length === 0 && !until()) {
      if (!(await fleet.clock.step())) break;
      checks.look(fleet);
    }
  };

  let calmAt = firstAt;
  let next = firstAt;
  for (let count = 0; count < faults; count += 1) {
    const at = next;
    await run(() => fleet.clock.now() >= at);
    if (checks.wrongs.length > 0) break;
    const lastsMs = strike(fleet);
    await fleet.clock.settle();
    checks.faulted(lastsMs);
    calmAt = Math.max(calmAt, fleet.clock.now() + lastsMs);
    next += plot.pick([plot.int(0, 1_000), plot.int(0, 20_000)]);
  }
  await run(() => fleet.clock.now() >= calmAt);
  const converged = await untilConverged(fleet, run, calmAt + PATIENCE_MS);
  return ending(seed, fleet, checks.wrongs, converged, calmAt);
}

async function untilConverged(
  fleet: Fleet,
  run: (until: () => boolean) => Promise<void>,
  endAt: number,
): Promise<boolean> {
  let converged = false;
  while (!converged && fleet.clock.now() < endAt) {
    const lookAt = fleet.clock.now() + 500;
    await run(() => fleet.clock.now() >= lookAt);
    converged = whyNotConverged(fleet) === null;
    if (!isRecoverable(fleet) || fleet.clock.now() < lookAt) break;
  }
  return converged;
}

function ending(
  seed: number,
  fleet: Fleet,
  wrongs: readonly string[],
  converged: boolean,
  calmAt: number,
): Ending {
  const common = { seed, convergedInMs: fleet.clock.now() - calmAt, history: fleet.history };
  if (wrongs.length > 0) return { ...common, kind: 'wrong', why: wrongs.join('; ') };
  if (converged) return { ...common, kind: 'converged', why: '' };
  if (!isRecoverable(fleet))
    return { ...common, kind: 'lost', why: 'a majority of the voters lost its data' };
  return { ...common, kind: 'stuck', why: whyNotConverged(fleet) ?? '' };
}

/** An ending as a person reads it: the seed, what was wrong, and what led to it. */
export function tell(ending: Ending): string {
  const lines = ending.history.slice(-120).map((it) => (it.length > 230 ? `${it.slice(0, 230)}…` : it));
  return `seed ${ending.seed}: ${ending.kind}: ${ending.why}\n${lines.join('\n')}`;
}
