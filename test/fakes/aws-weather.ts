import type { Ec2Evidence, Fleet } from '../../src/core/fleet.ts';
import type { Known } from '../../src/core/known.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { FleetPort } from '../../src/daemon/ports.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * How AWS answers. `self-only` and `half` are whole answers as far as anybody can tell, and wrong: instances are missing
 * from them. `stale` repeats what was true when it began.
 */
export type Weather = 'fair' | 'unknown' | 'self-only' | 'half' | 'stale';

/** The fleet port of one instance as the weather lets it be; `weather` is asked at each call. */
export function createWeatheredFleet(
  instanceId: string,
  port: FleetPort,
  deps: { readonly random: SeededRandom; readonly weather: () => Weather },
): FleetPort {
  const { random, weather } = deps;
  let oldFleet: Known<Fleet> | null = null;
  const oldWords = new Map<string, Ec2Evidence>();

  const visible = (id: string, how: Weather): boolean =>
    id === instanceId || how === 'fair' || (how === 'half' && random.chance(0.5));

  return {
    async observe(signal) {
      const how = weather();
      if (how === 'unknown') return unknown('AWS does not answer');
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
      if (how === 'unknown') return unknown('AWS does not answer');
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
