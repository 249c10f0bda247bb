import type { SeededRandom } from '../../fakes/seeded-random.ts';

/** One thing that is done to a cluster. A slot is a machine, `via` the one whose etcd is asked. */
export type Operation =
  | { readonly kind: 'put' | 'get' | 'get-local'; readonly via: number; readonly key: string }
  /** A lock from its lease to its end, with a fence that holds and one that is broken. */
  | { readonly kind: 'lock' | 'expire'; readonly via: number; readonly key: string }
  | { readonly kind: 'add' | 'promote' | 'remove' | 'move'; readonly via: number; readonly slot: number }
  | { readonly kind: 'remove-unknown'; readonly via: number }
  /** Starts a slot that was added; `miscount`: with a list that has one too many. */
  | { readonly kind: 'join' | 'miscount'; readonly slot: number }
  | { readonly kind: 'kill' | 'stop' | 'start' | 'freeze' | 'thaw'; readonly slot: number }
  /** Kills it, takes its data, and starts it under its old id, or with the words of its birth. */
  | { readonly kind: 'wipe' | 'refound'; readonly slot: number };

/** What a draw goes by: how things are, as the one who drives the cluster knows. */
export interface Standing {
  /** Slots whose etcd runs and is not frozen. */
  readonly live: readonly number[];
  readonly frozen: readonly number[];
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  /** Members that have never been started since they were added. */
  readonly waiting: readonly number[];
  /** Slots of founders that have kept their ids. */
  readonly founders: readonly number[];
  /** Slots whose data are of no use any more. */
  readonly spoiled: readonly number[];
  readonly slots: number;
}

type Draw = readonly [weight: number, operations: readonly Operation[]];

/** The next operation; each kind by its weight, where it fits. */
export function drawOperation(random: SeededRandom, standing: Standing): Operation {
  const draws = [...calls(standing), ...changes(standing), ...faults(standing)].filter(
    ([weight, operations]) => weight > 0 && operations.length > 0,
  );
  let at = random.fraction() * draws.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, operations] of draws) {
    at -= weight;
    const picked = operations[random.int(0, operations.length - 1)];
    if (at <= 0 && picked !== undefined) return picked;
  }
  throw new Error('nothing fits');
}

/** Whether a majority of the voters runs. */
export function hasMajority({ live, voters }: Standing): boolean {
  return voters.filter((it) => live.includes(it)).length * 2 > voters.length;
}

const KEYS = ['k/1', 'k/2'];

function calls(standing: Standing): readonly Draw[] {
  const members = [...standing.voters, ...standing.learners];
  const asked = members.filter((it) => standing.live.includes(it));
  const voters = standing.voters.filter((it) => standing.live.includes(it));
  const on = (kind: 'put' | 'get' | 'get-local' | 'lock' | 'expire', vias: readonly number[]) =>
    vias.flatMap((via) => KEYS.map((key) => ({ kind, via, key })));
  // Without a majority each of these takes its two seconds.
  const [often, seldom] = hasMajority(standing) ? [3, 1] : [0.6, 0];
  return [
    [often, on('put', asked)],
    [often, on('get', asked)],
    [1, on('get-local', members)],
    [2 * seldom, on('lock', voters)],
    [seldom, on('expire', voters)],
  ];
}

function changes(standing: Standing): readonly Draw[] {
  const { voters, learners, waiting, live, frozen, slots } = standing;
  const members = [...voters, ...learners];
  const vias = members.filter((it) => live.includes(it) && !waiting.includes(it));
  const through = (kind: 'add' | 'promote' | 'remove' | 'move', targets: readonly number[]) =>
    vias.flatMap((via) => targets.map((slot) => ({ kind, via, slot })));
  const free = Array.from({ length: slots }, (_, slot) => slot).filter(
    (it) => ![...members, ...live, ...frozen].includes(it),
  );
  const usual = hasMajority(standing) ? 1 : 0.1;
  return [
    [(learners.length === 0 ? 3 : 0.4) * usual, through('add', free)],
    [0.3 * usual, through('add', members)],
    // A joiner asks the members one after the other, and a frozen one for ten seconds.
    [frozen.length > 0 ? 0 : 6, waiting.map((slot) => ({ kind: 'join', slot }) as const)],
    [frozen.length > 0 ? 0 : 0.6, waiting.map((slot) => ({ kind: 'miscount', slot }) as const)],
    [3 * usual, through('promote', learners)],
    [0.3 * usual, through('promote', voters)],
    [1.5 * usual, through('remove', members)],
    [0.3 * usual, vias.map((via) => ({ kind: 'remove-unknown', via }) as const)],
    [1 * usual, through('move', members)],
  ];
}

function faults(standing: Standing): readonly Draw[] {
  const { voters, learners, waiting, live, frozen, founders, spoiled } = standing;
  const members = [...voters, ...learners].filter((it) => !waiting.includes(it));
  const running = members.filter((it) => live.includes(it));
  const down = members.filter((it) => !live.includes(it) && !frozen.includes(it) && !spoiled.includes(it));
  const each = (
    kind: 'kill' | 'stop' | 'start' | 'freeze' | 'thaw' | 'wipe' | 'refound',
    slots: readonly number[],
  ) => slots.map((slot) => ({ kind, slot }) as const);
  const [break_, mend] = hasMajority(standing) ? [1, 3] : [0.2, 8];
  // What a wiped member does to who is down or frozen too, is a matter of who comes first.
  // With two voters, either leaves the other without a majority, and so does what becomes of the wiped one.
  const whole = running.length === members.length && voters.length > 2 && waiting.length === 0;
  return [
    [break_, each('kill', running)],
    [break_, each('stop', running)],
    [break_, each('freeze', running)],
    [mend, each('start', down)],
    [mend, each('thaw', frozen)],
    [whole ? 0.8 : 0, each('wipe', running)],
    [
      whole ? 0.5 : 0,
      each(
        'refound',
        running.filter((it) => founders.includes(it)),
      ),
    ],
  ];
}
