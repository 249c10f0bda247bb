import type { Ec2Evidence, Fleet } from '../../src/core/fleet.ts';
import type { Known } from '../../src/core/known.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { Clock, FleetPort } from '../../src/daemon/ports.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * How AWS answers. `self-only` and `half` are whole answers as far as anybody can tell, and wrong: instances are missing
 * from them. `empty` lacks the asking instance, too. `stale` repeats what was true when it began. `late` answers come after
 * seconds, some past the caller's patience; `throttled` are mostly refused.
 */
export type Weather = 'fair' | 'unknown' | 'self-only' | 'half' | 'stale' | 'empty' | 'late' | 'throttled';

/** A call with its retries is given up after this; ms. */
const PATIENCE_MS = 15_000;

/** The fleet port of one instance as the weather lets it be; `weather` is asked at each call. */
export function createWeatheredFleet(
  instanceId: string,
  port: FleetPort,
  deps: { readonly random: SeededRandom; readonly clock: Clock; readonly weather: () => Weather },
): FleetPort {
  const { random, clock, weather } = deps;
  let oldFleet: Known<Fleet> | null = null;
  const oldWords = new Map<string, Ec2Evidence>();

  const visible = (id: string, how: Weather): boolean =>
    id === instanceId || (how !== 'self-only' && (how !== 'half' || random.chance(0.5)));
  /** Why there is no answer, once it is clear that there is none. */
  const refusal = async (how: Weather, signal: AbortSignal): Promise<string | null> => {
    if (how === 'unknown') return 'AWS does not answer';
    if (how === 'empty') return `AWS's answer does not show the asking instance ${instanceId}`;
    if (how === 'throttled' && random.chance(0.8)) return 'RequestLimitExceeded';
    if (how !== 'late') return null;
    const lateMs = random.int(1_000, 20_000);
    await clock.sleep(Math.min(lateMs, PATIENCE_MS), signal);
    return lateMs > PATIENCE_MS ? 'AWS does not answer in time' : null;
  };

  return {
    async observe(signal) {
      const how = weather();
      const refused = await refusal(how, signal);
      if (refused !== null) return unknown(refused);
      if (how === 'stale' && oldFleet !== null) return oldFleet;
      const answer = await port.observe(signal);
      if (how !== 'stale') oldFleet = null;
      if (!answer.known) return answer;
      if (how === 'stale') {
        oldFleet = answer;
        return answer;
      }
      const instances = answer.value.instances.filter((it) => visible(it.id, how));
      return known({ ...answer.value, instances });
    },
    async evidence(instances, signal) {
      const how = weather();
      const refused = await refusal(how, signal);
      if (refused !== null) return unknown(refused);
      const answer = await port.evidence(instances, signal);
      if (!answer.known) return answer;
      if (how !== 'stale') oldWords.clear();
      const words = [...answer.value].map(([id, word]): readonly [string, Ec2Evidence] => {
        if (how === 'stale') {
          const old = oldWords.get(id) ?? word;
          oldWords.set(id, old);
          return [id, old];
        }
        return [id, visible(id, how) ? word : 'not-found'];
      });
      return known(new Map(words));
    },
  };
}
