import type { CloudEvent } from '../src/sandbox/model.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { isCall, textOf } from './group.ts';
import { type Line, readLines } from './log-lines.ts';

/** What happened, who did it, and when; epoch ms. */
interface Entry {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

/** Lines of etcd that say how far it is. */
const OF_ETCD: ReadonlySet<string> = new Set([
  'starting an etcd server',
  'ready to serve client requests',
  'published local member to cluster through raft',
  'applied snapshot',
  'promote member',
  'removed member',
]);

const SKIPPED_EVENTS: ReadonlySet<string> = new Set(['settings', 'zone-created', 'group-created']);

/**
 * Tells from `fromMs` on (epoch), ms from `originMs` (epoch), who did what: the appliances in their own sentences, what
 * was asked of AWS, and what became of it. One line each, as it happened.
 */
export function tellTimeline(
  sandbox: Sandbox,
  { fromMs, originMs }: { readonly fromMs: number; readonly originMs: number },
): string {
  const entries = [
    ...readLines(sandbox.addresses.stateDir).flatMap(entryOfLine),
    ...sandbox.cloud.events.since(0).flatMap(entryOfEvent),
  ];
  return renderTimeline(
    entries.filter(({ atMs }) => atMs >= fromMs),
    originMs,
  );
}

function renderTimeline(entries: readonly Entry[], originMs: number): string {
  return entries
    .toSorted((one, other) => one.atMs - other.atMs)
    .map(({ atMs, who, what }) => {
      const seconds = ((atMs - originMs) / 1_000).toFixed(3);
      return `${seconds.padStart(9)}  ${who.padEnd(20)}  ${what}`;
    })
    .join('\n');
}

function entryOfLine({ atMs, instanceId, line }: Line): readonly Entry[] {
  const entry = (who: string, what: string): readonly Entry[] => [{ atMs, who, what }];
  const text = (key: string): string => textOf(line[key]);
  if (line['component'] === 'etcd')
    return OF_ETCD.has(text('msg')) ? entry(instanceId, `etcd: ${text('msg')}`) : [];
  switch (line['msg']) {
    case 'planned':
      return entry(instanceId, `${text('planner')} plans: ${text('sentence')}`);
    case 'acted':
      return entry(instanceId, `${text('what')} DONE: ${text('sentence')}`);
    case 'failed, will try again':
      return entry(instanceId, `${text('what')} FAILED: ${text('sentence')}`);
    default:
      return entry(instanceId, `${text('component')}: ${text('msg')}`);
  }
}

/** Fields that say themselves what they are. */
const PLAIN: ReadonlySet<string> = new Set(['service', 'action', 'result', 'state', 'process', 'from', 'to']);

function entryOfEvent(event: CloudEvent): readonly Entry[] {
  const { atMs, type, fields } = event;
  if (SKIPPED_EVENTS.has(type)) return [];
  const { instanceId, asking, ...rest } = fields;
  const values = Object.entries(rest).map(([key, value]) =>
    PLAIN.has(key) ? textOf(value) : `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const words = values.join(' ');
  return isCall(event)
    ? [{ atMs, who: textOf(asking) || 'somebody', what: `  asks AWS: ${words}` }]
    : [{ atMs, who: 'cloud', what: [type, textOf(instanceId), words].filter((it) => it !== '').join(' ') }];
}
