import { parseArgs } from 'node:util';
import { wholeNumber } from '../test/command-line.ts';
import { type Part, PARTS, PARTS_BY_NAME } from './measures.ts';

/** How long the soak is. */
const SOAK_MINUTES = 30;
/** Three looks for drift. */
const MINUTES = 6;

export const USAGE = `npm run bench -- [--runs N] [--only PART]... [--etcd MINOR|VERSION] [--minutes N | --soak] [--big] [--write]
  --runs     lives of each side; 5 unless given, at most 3 of what takes long
  --only     ${PARTS_BY_NAME.join(', ')}; all but big unless given (forming comes before each)
  --etcd     the binary of both sides; 3.7 unless given
  --minutes  how long a steady cluster is watched; ${MINUTES} unless given, which is three looks for drift, and at most that
             for those of other sizes than three
  --soak     one steady cluster of three for ${SOAK_MINUTES} minutes, beside what else is asked for
  --big      with 1 GB of data, too, beside what else is asked for: takes minutes, and 10 GB of disk for as long
  --write    keep the report, and who did what in one birth and one replacement, in bench/results; with starts alone, too`;

/** What is asked of the bench. */
export interface Options {
  /** Lives of each side. */
  readonly runs: number;
  readonly parts: ReadonlySet<Part>;
  /** A minor or a version. */
  readonly etcd: string;
  /** How long a steady cluster of three is watched. */
  readonly minutes: number;
  /** The same of other sizes, each of which costs as much again. */
  readonly fleetMinutes: number;
  readonly write: boolean;
}

/** Reads the command line. Throws with a line that says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true },
      etcd: { type: 'string', default: '3.7' },
      minutes: { type: 'string', default: String(MINUTES) },
      soak: { type: 'boolean', default: false },
      big: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const { soak, big, write, etcd } = values;
  const runs = wholeNumber('runs', values.runs, 1);
  const minutes = soak ? SOAK_MINUTES : Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: give a number above 0`);
  const only = values.only?.map((name) => {
    const part = PARTS_BY_NAME.find((it) => it === name);
    if (part === undefined) throw new Error(`--only ${name}: there are ${PARTS_BY_NAME.join(', ')}`);
    return part;
  });
  const parts = new Set<Part>([
    ...(only ?? PARTS),
    ...(soak ? ['steady' as const] : []),
    ...(big ? ['big' as const] : []),
    // A moment, and of the figures that are kept no other says what a start takes on a machine of its own.
    ...(write ? ['start' as const] : []),
  ]);
  return { runs, parts, etcd, minutes, fleetMinutes: Math.min(minutes, MINUTES), write };
}
