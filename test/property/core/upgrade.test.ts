import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planUpgrade } from '../../../src/core/plan-upgrade.ts';
import { compareVersions, minorAbove, minorOf, pickVersion } from '../../../src/core/versions.ts';
import { IMAGE, NO_RECORD } from '../../fixtures/core/upgrade.ts';
import type { Machine, UpgradeEvent, UpgradeWorld } from '../../fixtures/core/upgrade-model.ts';
import { actorsOf, happen, lookOf, turn } from '../../fixtures/core/upgrade-model.ts';
import { idOf } from '../../fixtures/core/world.ts';

/** Three minors of seven members with a patch, a remedy and a turn of etcd each, down and up again. */
const MOST_TURNS = 400;

const PATCHES: Readonly<Record<string, readonly string[]>> = {
  '3.4': ['3.4.15', '3.4.45'],
  '3.5': ['3.5.9', '3.5.33', '3.5.35'],
  '3.6': ['3.6.4', '3.6.16'],
  '3.7': ['3.7.1', '3.7.3'],
};
const MINORS = Object.keys(PATCHES);

interface Kind {
  /** Every image has every minor, all aim at the newest, and nothing lies in the data that only an operator can mend. */
  readonly able: boolean;
}

/** One instance, which runs this minor or the one above. */
function machines(n: number, minor: string, { able }: Kind): fc.Arbitrary<Machine> {
  const versions = PATCHES[minor] ?? [];
  return fc
    .record({
      version: fc.constantFrom(...versions),
      images: able ? fc.constant([...IMAGE]) : fc.subarray([...IMAGE, '3.5.2', '3.6.4', '3.7.1']),
      wanted: able ? fc.constant(null) : fc.constantFrom(null, null, ...MINORS, '3.6.4'),
      v2: able ? fc.constantFrom('clean', 'wal-requests') : fc.constantFrom('clean', 'wal-requests', 'store'),
      oldLog: fc.boolean(),
    })
    .map(({ images, version, ...rest }) => {
      const installed = [...new Set([...images, version])];
      return { n, version, installed, storage: minor, ill: false, ...rest } as Machine;
    });
}

/** A cluster in the middle of anything, where nobody died of it yet. */
function worlds(kind: Kind): fc.Arbitrary<UpgradeWorld> {
  return fc
    .record({
      size: fc.constantFrom(1, 3, 5, 7),
      low: fc.nat({ max: 2 }),
      spread: fc.constantFrom('low', 'high', 'mixed'),
      behind: fc.boolean(),
      lowering: fc.boolean(),
    })
    .chain(({ size, low, spread, behind, lowering }) =>
      fc
        .tuple(
          ...Array.from({ length: size }, (_, at) => {
            const above = spread === 'high' || (spread === 'mixed' && at % 2 === 1);
            return machines(at + 1, MINORS[above ? low + 1 : low] ?? '', kind);
          }),
        )
        .chain((members) =>
          fc
            .record({
              leader: fc.constantFrom(...members.map((it) => it.n)),
              to: fc.constantFrom(
                null,
                null,
                '3.5',
                '3.6',
                '3.7',
                '3.6.16',
                ...(kind.able ? [] : ['3.4', '3.9']),
              ),
            })
            .map(({ leader, to }): UpgradeWorld => {
              const versions = members.map((it) => it.version).toSorted(compareVersions);
              const [lowest, highest] = [minorOf(versions[0] ?? ''), minorOf(versions.at(-1) ?? '')];
              const whole = lowest === highest;
              const cluster = whole && behind && lowest !== '3.4' ? minorAbove(lowest, -1) : lowest;
              const target = whole ? minorAbove(highest, -1) : lowest;
              return {
                machines: members.map((it) => ({ ...it, storage: cluster })),
                joiners: [],
                leader,
                cluster,
                downgrade:
                  lowering && highest >= '3.6' && cluster === (whole ? highest : lowest) ? target : null,
                record: { ...NO_RECORD, to },
                orphanedForMs: 0,
                failing: null,
                dying: null,
              };
            }),
        ),
    );
}

const at = fc.nat({ max: 6 });
const events: fc.Arbitrary<UpgradeEvent> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'nothing' } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'etcd' } as const) },
  fc.constantFrom({ kind: 'pause' } as const, { kind: 'resume' } as const, { kind: 'heal' } as const),
  fc.record({ kind: fc.constant('order' as const), to: fc.constantFrom(null, '3.5', '3.6', '3.7') }),
  fc.record({ kind: fc.constantFrom('leader' as const, 'ill' as const, 'fail' as const), at }),
  fc.record({
    kind: fc.constant('die' as const),
    when: fc.constantFrom('before' as const, 'after' as const),
  }),
  fc.record({ kind: fc.constant('replace' as const), at, oldLog: fc.boolean() }),
);

/** What happens, and who of those that may acts. */
const stories = fc.record({
  events: fc.array(events, { maxLength: 15 }),
  picks: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 10 }),
});
type Story = typeof stories extends fc.Arbitrary<infer T> ? T : never;

/** Lives through the story, and on until the world rests. */
function live(world: UpgradeWorld, { events: happenings, picks }: Story): UpgradeWorld {
  let state = world;
  for (let turns = 0; turns < MOST_TURNS; turns += 1) {
    const event = happenings[turns];
    if (event !== undefined) state = happen(state, event);
    const next = turn(state, picks[turns % picks.length] ?? 0);
    if (next === null && turns >= happenings.length) return state;
    state = next ?? state;
  }
  throw new Error('it never comes to rest');
}

/** Everything that went wrong is mended, and the operator lets it go on. */
const MENDED: readonly UpgradeEvent[] = [{ kind: 'heal' }, { kind: 'resume' }];

function codesOf(world: UpgradeWorld): readonly string[] {
  return world.machines.map((it) => planUpgrade(lookOf(world, it)).action.reason.code);
}

describe('an upgrade', () => {
  it('kills nobody, whatever happens, and comes to rest with a reason', () => {
    fc.assert(
      fc.property(worlds({ able: false }), stories, (world, story) => {
        const rest = live(world, { ...story, events: [...story.events, { kind: 'heal' }] });
        // At rest nobody's turn is another's.
        expect(actorsOf(rest)).toEqual([]);
        for (const it of rest.machines) {
          const { action } = planUpgrade(lookOf(rest, it));
          expect(action.kind).toBe('none');
          expect(['upgrade-settling', 'upgrade-orphaned', 'upgrade-locked']).not.toContain(
            action.reason.code,
          );
          expect(action.reason.sentence.length).toBeGreaterThan(10);
        }
        expect(rest.downgrade).toBeNull();
      }),
      { numRuns: 150 },
    );
  });

  it('ends where all aim, where nothing is in the way', () => {
    fc.assert(
      fc.property(worlds({ able: true }), stories, (world, { events: happenings, picks }) => {
        const rest = live(world, { events: [...happenings, ...MENDED], picks });
        const ends = live({ ...rest, failing: null, dying: null }, { events: [...MENDED], picks });
        const aim = ends.record.to;
        expect(codesOf(ends)).toEqual(ends.machines.map(() => 'upgrade-done'));
        for (const it of ends.machines) expect(it.version).toBe(pickVersion(it.installed, aim));
        expect([ends.cluster, ends.downgrade, ends.joiners]).toEqual([
          minorOf(ends.machines[0]?.version ?? ''),
          null,
          [],
        ]);
        expect(ends.machines.length).toBe(world.machines.length);
      }),
      { numRuns: 150 },
    );
  });

  it('goes down and up again as it is told', () => {
    fc.assert(
      fc.property(worlds({ able: true }), fc.constantFrom('3.5', '3.6'), at, (world, order, pick) => {
        const newest = { ...world, record: { ...world.record, to: null } };
        const told = (from: UpgradeWorld, to: string | null): UpgradeWorld =>
          live(from, { events: [{ kind: 'order', to }], picks: [pick] });
        const up = told(newest, null);
        const down = told(up, order);
        expect(down.machines.map((it) => minorOf(it.version))).toEqual(world.machines.map(() => order));
        expect(told(down, null).machines.map((it) => it.version)).toEqual(world.machines.map(() => '3.7.3'));
      }),
      { numRuns: 40 },
    );
  });

  it('is planned alike by all who see alike, and lets one of them act', () => {
    fc.assert(
      fc.property(worlds({ able: false }), (world) => {
        const [first] = world.machines;
        if (first === undefined) return;
        const look = lookOf(world, first);
        const plans = world.machines.map((it) => planUpgrade({ ...look, self: idOf(it.n) }));
        const turned = planUpgrade({ ...look, members: look.members.toReversed() });
        for (const plan of plans) expect(plan).toEqual(plans[0]);
        expect({ ...turned.action, reason: null }).toEqual({ ...plans[0]?.action, reason: null });
        expect(turned.waiting).toEqual(plans[0]?.waiting);
      }),
      { numRuns: 150 },
    );
  });

  it('does nothing beside the lock of another, nor before the step of one that lost it must be over', () => {
    fc.assert(
      fc.property(worlds({ able: true }), at, fc.boolean(), (world, who, locked) => {
        const [first, ...others] = world.machines;
        if (first === undefined || others.length === 0) return;
        const other = idOf(others[who % others.length]?.n ?? 0);
        const step = { by: other, from: '3.5.35', to: '3.6.16', at: 'now' };
        const look = lookOf({ ...world, record: { ...world.record, step } }, first);
        const seen = { ...look, lockedBy: locked ? other : null, orphanedForMs: locked ? 1e9 : 119_999 };
        expect(planUpgrade(seen).action.kind).toBe('none');
      }),
      { numRuns: 100 },
    );
  });
});
