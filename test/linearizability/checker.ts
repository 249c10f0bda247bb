import { apply, type Call, effectOf } from './history.ts';

/** Whether a history of one register can be told as if one operation happened after the other. */
export type Judgement =
  /** It can, in this order; calls without an answer that never took effect are left out. */
  | { readonly kind: 'linearizable'; readonly order: readonly Call[] }
  /** It cannot. The longest attempt, and the call whose end this attempt could not get past. */
  | { readonly kind: 'impossible'; readonly longest: readonly Call[]; readonly stuckAt: Call }
  /** The limit of steps was reached: the history is too long, or has too many calls without an answer. */
  | { readonly kind: 'undecided'; readonly steps: number };

const MOST_STEPS = 2_000_000;

/**
 * Checks a history by the algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's
 * memory of what was tried ("Testing for linearizability", 2016), as knossos and porcupine do: place one of the calls
 * that began before any other ended, go on with the rest, and step back where an end comes whose call is not placed. A
 * set of placed calls that leaves the register the same as another time is not tried again. Every call with an answer
 * must be placed; one without may be, or not.
 */
export function checkRegister(history: readonly Call[], mostSteps = MOST_STEPS): Judgement {
  const calls = history.filter(isOfInterest(history));
  const timeline = createTimeline(calls);
  const tried = new Set<string>();
  const placed: { readonly event: Event; readonly before: string | null }[] = [];
  let failure: { readonly longest: readonly Call[]; readonly stuckAt: Call } | null = null;
  let missing = calls.filter(({ returnedMs }) => returnedMs !== null).length;
  let register: string | null = null;
  let set = 0n;
  let event = timeline.first();
  for (let steps = 0; missing > 0; steps += 1) {
    if (steps >= mostSteps) return { kind: 'undecided', steps };
    if (event?.kind === 'begin') {
      const after = apply(register, effectOf(event.call));
      const next = set | event.bit;
      if (after === 'impossible' || !isNew(tried, next, after.holds)) {
        event = timeline.after(event);
        continue;
      }
      placed.push({ event, before: register });
      register = after.holds;
      set = next;
      if (event.call.returnedMs !== null) missing -= 1;
      timeline.lift(event);
      event = timeline.first();
      continue;
    }
    // The end of a call that is not placed: this attempt leads nowhere.
    if (event === null) throw new Error('a call with an answer is missing, and its end too');
    if (failure === null || placed.length > failure.longest.length) {
      failure = { longest: placed.map((it) => it.event.call), stuckAt: event.call };
    }
    const last = placed.pop();
    if (last === undefined) return { kind: 'impossible', ...failure };
    register = last.before;
    set &= ~last.event.bit;
    if (last.event.call.returnedMs !== null) missing += 1;
    timeline.putBack(last.event);
    event = timeline.after(last.event);
  }
  return { kind: 'linearizable', order: placed.map((it) => it.event.call) };
}

/**
 * Calls without an answer that nobody saw anything of are left out: in whatever order they stood, what came right after
 * did not look at the register, so the order is as good without them. Else each would double what there is to try.
 */
function isOfInterest(history: readonly Call[]): (call: Call) => boolean {
  const seen = new Set(
    history.map((call) => {
      const operation = effectOf(call);
      switch (operation.kind) {
        case 'read':
          return call.returnedMs === null ? null : operation.value;
        case 'write':
          return null;
        case 'swap':
          return operation.saw;
      }
    }),
  );
  return ({ operation, returnedMs }) => {
    if (returnedMs !== null) return true;
    switch (operation.kind) {
      case 'read':
        return false;
      case 'write':
        return seen.has(operation.value);
      case 'swap':
        return seen.has(operation.to);
    }
  };
}

function isNew(tried: Set<string>, set: bigint, holds: string | null): boolean {
  const key = `${set.toString(36)} ${holds === null ? '' : `=${holds}`}`;
  if (tried.has(key)) return false;
  tried.add(key);
  return true;
}

/** The beginning of a call, or its end. */
interface Event {
  readonly kind: 'begin' | 'end';
  readonly call: Call;
  /** This call's bit in a set of calls. */
  readonly bit: bigint;
  /** Where its beginning and its end are, counted in time; the same where no answer came. */
  readonly begin: number;
  readonly end: number;
}

/** Beginnings and ends by time, as a list from which calls are lifted out and put back, the last lifted first. */
interface Timeline {
  /** Null where nothing is left. */
  readonly first: () => Event | null;
  readonly after: (event: Event) => Event | null;
  readonly lift: (event: Event) => void;
  readonly putBack: (event: Event) => void;
}

function createTimeline(calls: readonly Call[]): Timeline {
  const moments = calls
    .flatMap((call, index) => [
      { index, atMs: call.calledMs, kind: 'begin' as const },
      ...(call.returnedMs === null ? [] : [{ index, atMs: call.returnedMs, kind: 'end' as const }]),
    ])
    // Of one time, beginnings come first: who cannot be told apart counts as at the same time.
    .sort((one, other) => one.atMs - other.atMs || Number(one.kind === 'end') - Number(other.kind === 'end'));
  const begins = new Map<number, number>();
  const ends = new Map<number, number>();
  for (const [place, { index, kind }] of moments.entries()) {
    (kind === 'begin' ? begins : ends).set(index, place);
  }
  const events: Event[] = [];
  for (const { index, kind } of moments) {
    const call = calls[index];
    const begin = begins.get(index) ?? 0;
    if (call !== undefined)
      events.push({ kind, call, bit: 1n << BigInt(index), begin, end: ends.get(index) ?? begin });
  }
  // A ring, closed by one place more, which is no event.
  const size = events.length + 1;
  const next = Array.from({ length: size }, (_, place) => (place + 1) % size);
  const previous = Array.from({ length: size }, (_, place) => (place + size - 1) % size);
  const at = (places: readonly number[], place: number): number => places[place] ?? 0;
  const eventAt = (place: number): Event | null => events[place] ?? null;
  const unlink = (place: number): void => {
    next[at(previous, place)] = at(next, place);
    previous[at(next, place)] = at(previous, place);
  };
  const link = (place: number): void => {
    next[at(previous, place)] = place;
    previous[at(next, place)] = place;
  };
  return {
    first: () => eventAt(at(next, size - 1)),
    after: (event) => eventAt(at(next, event.kind === 'begin' ? event.begin : event.end)),
    lift: ({ begin, end }) => {
      unlink(begin);
      if (end !== begin) unlink(end);
    },
    putBack: ({ begin, end }) => {
      if (end !== begin) link(end);
      link(begin);
    },
  };
}
