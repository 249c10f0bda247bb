import { type Line as LogLine, readLines } from './log-lines.ts';
import type { Milestones } from './measures.ts';

type Line = LogLine['line'];

/** A moment on the way: the first or the last line, of all appliances, that says so. */
interface Moment {
  readonly title: string;
  readonly pick: 'first' | 'last';
  readonly says: (line: Line) => boolean;
}

const message =
  (component: string, msg: string) =>
  (line: Line): boolean =>
    line['component'] === component && line['msg'] === msg;
const acted =
  (what: string, ...reasons: readonly string[]) =>
  (line: Line): boolean =>
    line['msg'] === 'acted' &&
    line['what'] === what &&
    (reasons.length === 0 || reasons.includes(String(line['reason'])));

const SERVES = message('etcd', 'ready to serve client requests');

/** From the first process to a whole cluster. */
export const OF_FORMING: readonly Moment[] = [
  { title: 'the last program is loaded', pick: 'last', says: message('main', 'starting') },
  { title: 'the last knows its instance, group and zone', pick: 'last', says: message('app', 'runs') },
  { title: 'the name is claimed', pick: 'first', says: acted('register', 'birth') },
  { title: 'the last founder wrote its mark', pick: 'last', says: acted('register', 'birth', 'mark') },
  { title: 'the last etcd process is started', pick: 'last', says: acted('start-etcd') },
  { title: 'the last etcd serves', pick: 'last', says: SERVES },
  { title: 'formed, with its names', pick: 'first', says: acted('register', 'form') },
];

/** From the successor's process to its place. The old member may be removed before that runs. */
export const OF_REPLACING: readonly Moment[] = [
  { title: 'the old member is removed by the housekeeper', pick: 'first', says: acted('remove-member') },
  { title: 'the program is loaded', pick: 'first', says: message('main', 'starting') },
  { title: 'it knows its instance, group and zone', pick: 'first', says: message('app', 'runs') },
  { title: 'it is a learner', pick: 'first', says: acted('join') },
  { title: 'its etcd process is started', pick: 'first', says: acted('start-etcd') },
  { title: 'it is in the claim', pick: 'first', says: acted('register', 'enter-claim') },
  { title: 'it is promoted', pick: 'first', says: acted('promote') },
  { title: 'its etcd serves', pick: 'first', says: SERVES },
  { title: 'the last records are written', pick: 'last', says: acted('records') },
];

/**
 * Reads the moments from what the appliances logged since `fromMs` (epoch); ms from `originMs` (epoch). What nobody said is
 * left out.
 */
export function readMilestones(
  moments: readonly Moment[],
  stateDir: string,
  { fromMs, originMs }: { readonly fromMs: number; readonly originMs: number },
): Milestones {
  const lines = readLines(stateDir).filter(({ atMs }) => atMs >= fromMs);
  const found = moments.flatMap(({ title, pick, says }) => {
    const fitting = lines.filter(({ line }) => says(line));
    const at = (pick === 'first' ? fitting.at(0) : fitting.at(-1))?.atMs;
    return at === undefined ? [] : [[title, at - originMs] as const];
  });
  return new Map(found);
}
