import type { Ec2Evidence, Fleet, InstanceEvidence } from '../core/fleet.ts';
import { isJoinable } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import type { Ports } from './ports.ts';

/** AWS's view of the fleet, with its age, and what was gathered about instances over time. */
export interface FleetView {
  /** The fleet, asked anew where the last answer, known or not, is older than `maxAgeMs`. */
  fleet(maxAgeMs: number, signal: AbortSignal): Promise<Known<Fleet>>;
  /** The last known fleet, however old; no call. */
  last(): Known<Fleet>;
  /** Asks EC2 about instances, and adds the answers to what is known of them. */
  evidence(
    instances: readonly { readonly id: string; readonly region: string }[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, InstanceEvidence>>;
  /** For how long every answer has been unknown; 0: the last was known; ms. */
  blindForMs(): number;
  /** Whether the own instance is joinable in the last known fleet; null: none is known. */
  inFleet(): boolean | null;
  /** How old the last answer is; ms. */
  ageMs(): number;
}

/** A view over the fleet port. */
export function createFleetView(ports: Pick<Ports, 'fleet' | 'clock' | 'self'>): FleetView {
  const { clock, self } = ports;
  let answer: Known<Fleet> = unknown('AWS was not asked yet');
  let lastKnown: Known<Fleet> = answer;
  let askedAt = Number.NEGATIVE_INFINITY;
  let blindSince: number | null = null;
  /** Since when every known answer about an id has been "not found". */
  const missingSince = new Map<string, number>();

  const remember = (id: string, state: Known<Ec2Evidence>, at: number): InstanceEvidence => {
    if (!state.known) return { ec2: state, notFoundForMs: 0 };
    if (state.value !== 'not-found') {
      missingSince.delete(id);
      return { ec2: state, notFoundForMs: 0 };
    }
    const since = missingSince.get(id) ?? at;
    missingSince.set(id, since);
    return { ec2: state, notFoundForMs: at - since };
  };

  return {
    async fleet(maxAgeMs, signal) {
      const at = clock.now();
      if (at - askedAt <= maxAgeMs) return answer;
      answer = await ports.fleet.observe(signal);
      askedAt = at;
      if (answer.known) {
        lastKnown = answer;
        blindSince = null;
      } else {
        blindSince ??= at;
      }
      return answer;
    },
    last: () => lastKnown,
    async evidence(instances, signal) {
      if (instances.length === 0) return new Map();
      const at = clock.now();
      const states = await ports.fleet.evidence(instances, signal);
      return new Map(
        instances.map(({ id }) => {
          const state = states.known ? states.value.get(id) : undefined;
          const fact =
            state !== undefined
              ? known(state)
              : unknown(states.known ? 'EC2 said nothing of it' : states.reason);
          return [id, remember(id, fact, at)];
        }),
      );
    },
    blindForMs: () => (blindSince === null ? 0 : clock.now() - blindSince),
    inFleet() {
      if (!lastKnown.known) return null;
      const own = lastKnown.value.instances.find((it) => it.id === self.id);
      return own !== undefined && isJoinable(own);
    },
    ageMs: () => clock.now() - askedAt,
  };
}
