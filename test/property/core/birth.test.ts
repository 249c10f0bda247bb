import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Delivery, Lens } from '../../fixtures/core/birth-model.ts';
import { BirthModel, CLEAR } from '../../fixtures/core/birth-model.ts';

type Event =
  | { readonly kind: 'plan'; readonly n: number; readonly lens: Lens }
  | { readonly kind: 'act'; readonly n: number; readonly delivery: Delivery; readonly crashAfter: number }
  /** Plans and acts on the truth, at once: without it little would ever get far. */
  | { readonly kind: 'tick'; readonly n: number }
  | { readonly kind: 'crash'; readonly n: number }
  | { readonly kind: 'wipe'; readonly n: number }
  | { readonly kind: 'configure'; readonly n: number; readonly wanted: string | null }
  | { readonly kind: 'late' }
  | { readonly kind: 'time'; readonly ms: number };

/** What one observation sees. `staleness`: how many versions of the zone Route 53 may be behind. */
function lenses(staleness: number): fc.Arbitrary<Lens> {
  return fc
    .record({
      zoneAge: fc.oneof(
        { weight: 5, arbitrary: fc.constant(0) },
        { weight: 2, arbitrary: fc.integer({ min: 0, max: staleness }) },
        { weight: 1, arbitrary: fc.constant(null) },
      ),
      fleet: fc.constantFrom(
        'whole' as const,
        'whole' as const,
        'self' as const,
        'some' as const,
        'unknown' as const,
      ),
      salt: fc.integer({ min: 0, max: 1_000 }),
      hiding: fc.constantFrom(0, 0, 2, 4),
    })
    .map(({ salt, hiding, ...rest }) => ({
      ...rest,
      hides: (what: string) =>
        Array.from(what).reduce((sum, it) => (sum * 31 + it.charCodeAt(0)) % 9_973, salt) % 5 < hiding,
      toString: () => `zone ${rest.zoneAge} behind, fleet ${rest.fleet}, hides ${hiding}/5 (${salt})`,
    }));
}

const MINUTES = [300, 1_500, 5_000, 130_000, 200_000] as const;
const SECONDS = [300, 1_500] as const;

function events(size: number, staleness: number, times: readonly number[]): fc.Arbitrary<Event> {
  const n = fc.integer({ min: 1, max: size });
  const deliveries = fc.constantFrom<Delivery>('done', 'done', 'done', 'late', 'dropped');
  const crashes = fc.constantFrom(0, 1, 2, 3, 3, 3, 3, 3);
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('tick' as const), n }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('plan' as const), n, lens: lenses(staleness) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('act' as const),
        n,
        delivery: deliveries,
        crashAfter: crashes,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), n }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), n }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('configure' as const),
        n,
        wanted: fc.constantFrom(null, '3.5', '3.5', '3.6'),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'late' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('time' as const),
        ms: fc.constantFrom(...times),
      }),
    },
  );
}

function happen(model: BirthModel, event: Event): void {
  switch (event.kind) {
    case 'plan':
      return model.plan(event.n, event.lens);
    case 'act':
      return model.act(event.n, event.delivery, event.crashAfter);
    case 'tick':
      model.plan(event.n, CLEAR);
      return model.act(event.n, 'done');
    case 'crash':
      return model.crash(event.n);
    case 'wipe':
      return model.wipe(event.n);
    case 'configure':
      return model.configure(event.n, event.wanted);
    case 'late':
      return model.deliverLate();
    case 'time':
      model.now += event.ms;
  }
}

/** Everybody sees all and does what it plans, until the cluster is whole; says whether it got there. */
function settle(model: BirthModel): boolean {
  model.deliverLate();
  for (let round = 0; round < 200; round += 1) {
    for (const { n } of model.appliances) happen(model, { kind: 'tick', n });
    if (model.isWhole()) return true;
    model.now += round < 100 ? 1_000 : 60_000;
  }
  return false;
}

/** Whether the data of a majority of the formed cluster are gone: then waiting is right. */
function isLost(model: BirthModel): boolean {
  const claim = model.claim();
  const cluster = claim?.state === 'formed' ? model.clusters.get(claim.clusterId ?? '') : undefined;
  return cluster !== undefined && !model.couldHaveQuorum(cluster);
}

function state(model: BirthModel): string {
  return JSON.stringify({ claim: model.claim(), appliances: model.appliances, now: model.now }, null, 1);
}

describe('a birth', () => {
  it.each([1, 2, 3, 4, 5])('of %d comes to a whole cluster in a few rounds', (size) => {
    const model = new BirthModel(size);
    expect(settle(model)).toBe(true);
    expect(model.claim()).toMatchObject({ epoch: 1, state: 'formed' });
    expect(model.now).toBeLessThan(15_000);
  });

  it.each([
    ['minutes', MINUTES, false],
    // For that long no appliance moves the data of a voter, either.
    ['seconds', SECONDS, true],
  ])(
    'is never twice, whoever sees whatever, %s late: one formed cluster, no founding twice',
    (_name, times, guardsData) => {
      fc.assert(
        fc.property(
          fc
            .integer({ min: 1, max: 5 })
            .chain((size) =>
              fc.tuple(
                fc.constant(size),
                fc.array(events(size, 6, times), { minLength: 20, maxLength: 100, size: 'max' }),
              ),
            ),
          ([size, all]) => {
            const model = new BirthModel(size, guardsData);
            for (const event of all) happen(model, event);
          },
        ),
        { numRuns: 1_000 },
      );
    },
  );

  it('comes to a whole cluster from wherever it was left, or waits for a quorum that was wiped', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5 })
          .chain((size) =>
            fc.tuple(fc.constant(size), fc.array(events(size, 0, MINUTES), { maxLength: 80, size: 'max' })),
          ),
        ([size, all]) => {
          const model = new BirthModel(size);
          for (const event of all) happen(model, event);
          if (!settle(model) && !isLost(model)) throw new Error(`it never settles: ${state(model)}`);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('an interrupted birth', () => {
  /** A birth of three in which the `k`-th step of all that are taken is the last of its appliance's before it dies. */
  function interrupted(n: number, tick: number, crashAfter: number, wiped: boolean): BirthModel {
    const model = new BirthModel(3);
    for (let round = 0; round < 12; round += 1) {
      for (const appliance of model.appliances) {
        model.plan(appliance.n, CLEAR);
        model.act(
          appliance.n,
          'done',
          appliance.n === n && round === tick ? crashAfter : Number.POSITIVE_INFINITY,
        );
        if (appliance.n === n && round === tick && wiped) model.wipe(n);
      }
      model.now += 500;
    }
    return model;
  }

  const places = [1, 2, 3].flatMap((n) =>
    [0, 1, 2, 3, 4, 5, 6].flatMap((tick) => [0, 1, 2, 3].map((crashAfter) => [n, tick, crashAfter] as const)),
  );

  it.each([
    ['its disk kept', false],
    ['its disk wiped', true],
  ])('ends in the same whole cluster from every prefix, %s', (_name, wiped) => {
    for (const [n, tick, crashAfter] of places) {
      const model = interrupted(n, tick, crashAfter, wiped);
      expect([n, tick, crashAfter, settle(model)]).toEqual([n, tick, crashAfter, true]);
      // Steady: another round changes nothing.
      const before = JSON.stringify(model.records);
      for (const appliance of model.appliances) happen(model, { kind: 'tick', n: appliance.n });
      expect(JSON.stringify(model.records)).toBe(before);
    }
  });
});
