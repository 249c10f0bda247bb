import type { Ec2Evidence, Fleet, InstanceEvidence } from '../core/fleet.ts';
import { isJoinable } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import type { Ports } from './ports.ts';

/** When something was seen, for people, and on the monotonic clock; ms. */
export interface Sighting {
  readonly wallTime: string;
  readonly at: number;
}

/** AWS's view of the fleet, with its age, and what was gathered about instances over time. */
export interface FleetView {
  /** The fleet, asked anew where the last answer, known or not, is older than `maxAgeMs`. */
  fleet(maxAgeMs: number, signal: AbortSignal): Promise<Known<Fleet>>;
  /** The last known fleet, however old; no call. */
  last(): Known<Fleet>;
  /** The last answer, known or not; no call. */
  latest(): Known<Fleet>;
  /** When the last known fleet was asked for; null: none is known. */
  seen(): Sighting | null;
  /**
   * What EC2 says of instances, with what it said before. Asked anew where the last answer, known or not, is two seconds
   * old, or thirty where it has been the same for a minute: whoever waits for an instance to end may wait for ever.
   */
  evidence(
    instances: readonly { readonly id: string; readonly region: string | null }[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, InstanceEvidence>>;
  /** For how long every answer has been unknown; 0: the last was known; ms. */
  blindForMs(): number;
  /** Whether the own instance is joinable in the last known fleet; null: none is known. */
  inFleet(): boolean | null;
  /** How old the last answer is; ms. */
  ageMs(): number;
}

/** An answer about an instance is taken as it is for this long. */
const EVIDENCE_KEPT_MS = 2_000;

/** And for this long where it has been the same for `SAME_FOR_MS`. */
const SAME_EVIDENCE_KEPT_MS = 30_000;
const SAME_FOR_MS = 60_000;

/** Two answers further apart than this say nothing of the time between them. */
const MISSING_GAP_MS = 5 * 60_000;

/** The last answer about an instance, when it was asked for, and since when it has been the same. */
interface Answer {
  readonly evidence: Omit<InstanceEvidence, 'unlistedForMs'>;
  readonly at: number;
  readonly since: number;
}

/** A view over the fleet port. */
export function createFleetView(ports: Pick<Ports, 'fleet' | 'clock' | 'self'>): FleetView {
  const { clock, self } = ports;
  let answer: Known<Fleet> = unknown('AWS was not asked yet');
  let lastKnown: Known<Fleet> = answer;
  let askedAt = Number.NEGATIVE_INFINITY;
  let knownAt = Number.NEGATIVE_INFINITY;
  let knownWallTime = '';
  let blindSince: number | null = null;
  /** Since when no known answer has listed an instance that EC2 says is stopped. */
  const unlisted = new Map<string, number>();
  /** From when to when every known answer about an id has been "not found". */
  const missing = new Map<string, { readonly since: number; readonly last: number }>();
  const answers = new Map<string, Answer>();

  const noteListed = (fleet: Fleet, at: number): void => {
    // Like everything that is counted over time: two answers that are far apart say nothing of the time between them.
    if (at - knownAt > MISSING_GAP_MS) unlisted.clear();
    for (const { id } of fleet.instances) unlisted.delete(id);
    knownAt = at;
  };
  const unlistedForMs = (id: string): number => {
    if (!lastKnown.known || lastKnown.value.instances.some((it) => it.id === id)) return 0;
    const since = unlisted.get(id) ?? knownAt;
    unlisted.set(id, since);
    return knownAt - since;
  };
  const judge = (id: string, state: Known<Ec2Evidence>, at: number): Answer['evidence'] => {
    if (!state.known) return { ec2: state, notFoundForMs: 0 };
    // Where EC2 itself does not know a stopped instance, or says otherwise, the lists of that time prove nothing.
    if (state.value !== 'stopped') unlisted.delete(id);
    if (state.value !== 'not-found') {
      missing.delete(id);
      return { ec2: state, notFoundForMs: 0 };
    }
    const before = missing.get(id);
    const since = before === undefined || at - before.last > MISSING_GAP_MS ? at : before.since;
    missing.set(id, { since, last: at });
    return { ec2: state, notFoundForMs: at - since };
  };
  const isFresh = (id: string, at: number): boolean => {
    const last = answers.get(id);
    if (last === undefined) return false;
    const keptMs = last.at - last.since >= SAME_FOR_MS ? SAME_EVIDENCE_KEPT_MS : EVIDENCE_KEPT_MS;
    return at - last.at < keptMs;
  };
  const remember = (id: string, state: Known<Ec2Evidence>, at: number): void => {
    const before = answers.get(id);
    // As with the fleet.
    if (before !== undefined && at < before.at) return;
    const same = before !== undefined && wordOf(before.evidence.ec2) === wordOf(state);
    answers.set(id, { evidence: judge(id, state, at), at, since: same ? before.since : at });
  };

  return {
    async fleet(maxAgeMs, signal) {
      const at = clock.now();
      if (at - askedAt <= maxAgeMs) return answer;
      const asked = await ports.fleet.observe(signal);
      // What was asked for before an answer that was faster must not undo what is known.
      if (at < askedAt) return answer;
      answer = asked;
      askedAt = at;
      if (answer.known) {
        lastKnown = answer;
        knownWallTime = clock.wallTime();
        blindSince = null;
        noteListed(answer.value, at);
      } else {
        blindSince ??= at;
      }
      return answer;
    },
    last: () => lastKnown,
    latest: () => answer,
    seen: () => (lastKnown.known ? { wallTime: knownWallTime, at: knownAt } : null),
    async evidence(instances, signal) {
      const at = clock.now();
      const due = instances.filter(({ id }) => !isFresh(id, at));
      const states = due.length === 0 ? known(NOTHING) : await ports.fleet.evidence(due, signal);
      for (const { id } of due) {
        const state = states.known ? states.value.get(id) : undefined;
        const why = states.known ? 'EC2 said nothing of it' : states.reason;
        remember(id, state === undefined ? unknown(why) : known(state), at);
      }
      return new Map(
        instances.flatMap(({ id }) => {
          const last = answers.get(id);
          return last === undefined ? [] : [[id, { ...last.evidence, unlistedForMs: unlistedForMs(id) }]];
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

const NOTHING: ReadonlyMap<string, Ec2Evidence> = new Map();

/** The reasons of unknown answers differ in their details, and mean the same. */
function wordOf(state: Known<Ec2Evidence>): string {
  return state.known ? state.value : 'unknown';
}
