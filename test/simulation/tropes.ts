import type { SeededRandom } from '../fakes/seeded-random.ts';
import type { Incident } from './incident.ts';
import { drawDatabase } from './database.ts';
import type { Plot } from './plot.ts';

/** What a trope says of a plot; the rest is drawn as ever. */
type Part = Pick<Plot, 'incidents'> &
  Partial<Pick<Plot, 'desired' | 'hooks' | 'zones' | 'warmPool' | 'database'>>;

/**
 * Some things happen only where incidents that are rare in themselves meet in a narrow time. Each of these brings such a
 * meeting about now and then, so that what the appliance does about it is seen in every run.
 */
const TROPES: readonly ((random: SeededRandom) => Part)[] = [
  restsTwice,
  halfBornOnShortDisks,
  lostFounderIsBack,
  housekeeperThaws,
  fallsBehindMuch,
];

/** One of the tropes. */
export function drawTrope(random: SeededRandom): Part {
  return random.pick([...TROPES] as [(typeof TROPES)[number], ...typeof TROPES])(random);
}

/** A machine is put aside twice, and comes back each time to a cluster without it: the older of its old data may go. */
function restsTwice(random: SeededRandom): Part {
  const who = rounded(random.fraction());
  const rests = [random.int(12_000, 18_000), random.int(85_000, 95_000)];
  const incidents: readonly Incident[] = rests.map((atMs) => ({ kind: 'rest', atMs, who, lastsMs: 32_000 }));
  const short: Incident = { kind: 'disks-short', atMs: 100_000, lastsMs: random.int(40_000, 60_000) };
  return { desired: random.int(3, 4), hooks: [], warmPool: 0, incidents: [...incidents, short] };
}

/** Most founders go in the middle of a birth, and the data of the one that is left are in the way of the next. */
function halfBornOnShortDisks(random: SeededRandom): Part {
  const atMs = random.int(7_500, 12_000);
  const incidents: readonly Incident[] = [
    { kind: 'disks-short', atMs: 0, lastsMs: random.int(40_000, 60_000) },
    // The birth takes its time.
    { kind: 'slow', atMs: 0, who: null, traffic: ['aws'], delayMs: 2_000, lastsMs: 13_000 },
    { kind: 'lose', atMs, who: rounded(random.fraction()) },
    { kind: 'lose', atMs, who: rounded(random.fraction()) },
  ];
  return { desired: 3, incidents };
}

/** A founder whose volume mounts late has said that its data are lost, and is back with them before its epoch is replaced. */
function lostFounderIsBack(random: SeededRandom): Part {
  const atMs = random.int(2_500, 7_500);
  const incidents: readonly Incident[] = [
    { kind: 'unmount', atMs, who: rounded(random.fraction()), lastsMs: random.int(6_000, 9_000) },
    { kind: 'aws', atMs, who: null, weather: 'unknown', lastsMs: random.int(20_000, 40_000) },
  ];
  return { desired: 2, hooks: [], incidents };
}

/** Who keeps house is stopped between a look at the fleet and what follows from it, until another keeps it. */
function housekeeperThaws(random: SeededRandom): Part {
  const atMs = random.int(15_000, 25_000);
  const incidents: readonly Incident[] = [
    { kind: 'lose', atMs, who: rounded(random.fraction()) },
    {
      kind: 'freeze-at-call',
      atMs: atMs + random.int(0, 6_000),
      who: null,
      port: 'fleet',
      call: random.int(1, 3),
      withinMs: 30_000,
      forMs: random.int(11_000, 40_000),
    },
  ];
  return { desired: random.int(3, 5), warmPool: 0, incidents };
}

/** A member of a cluster with a large database is away for more writes than the others keep: it is sent all of it. */
function fallsBehindMuch(random: SeededRandom): Part {
  const atMs = random.int(15_000, 25_000);
  const who = rounded(random.fraction());
  const lastsMs = random.int(10_000, 30_000);
  const incidents: readonly Incident[] = [
    { kind: 'partition', atMs, who, shape: 'node', traffic: ['peer'], share: 0, lastsMs },
    { kind: 'load', atMs: atMs + 2_000, entries: 6_000, lastsMs: 8_000 },
    // While it is still at it, perhaps.
    { kind: 'kill', atMs: atMs + lastsMs + random.int(5_000, 90_000), who, what: 'appliance' },
  ];
  const database = { ...drawDatabase(random, 3), restoreMs: random.int(40, 60) * 1_000 };
  return { desired: random.int(3, 5), warmPool: 0, database, incidents };
}

function rounded(fraction: number): number {
  return Math.floor(fraction * 1_000) / 1_000;
}
