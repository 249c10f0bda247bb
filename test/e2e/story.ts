import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CloudEvent } from '../../src/sandbox/model.ts';

interface Line {
  readonly at: number;
  readonly text: string;
}

const MOST_LINES = 120;
const MOST_CHARACTERS = 260;
/** What happens too often to be told. */
const DULL_EVENTS: ReadonlySet<string> = new Set(['fault-hit', 'api-read', 'api-change', 'throttled']);

/** What the appliances and the cloud said since `sinceMs` (epoch), merged by time: what to read after a failure. */
export function tellStory(stateDir: string, events: readonly CloudEvent[], sinceMs: number): string {
  const cloud = events
    .filter(({ type }) => !DULL_EVENTS.has(type))
    .map(({ atMs, type, fields }) => ({ at: atMs, text: `cloud     ${type} ${JSON.stringify(fields)}` }));
  const told = [...logLines(stateDir), ...cloud]
    .filter(({ at }) => at >= sinceMs)
    .sort((one, other) => one.at - other.at);
  const left = Math.max(0, told.length - MOST_LINES);
  return [
    ...(left === 0 ? [] : [`(${left} lines before these)`]),
    ...told
      .slice(left)
      .map(({ at, text }) => `${new Date(at).toISOString().slice(11, 23)} ${text}`.slice(0, MOST_CHARACTERS)),
  ].join('\n');
}

/** Lines of all appliances that say a thing that must never be said. */
export function badLines(stateDir: string): readonly string[] {
  return logLines(stateDir)
    .map(({ text }) => text)
    .filter((text) => text.includes('something unexpected'));
}

function logLines(stateDir: string): readonly Line[] {
  return readdirSync(stateDir).flatMap((instanceId) => {
    const file = join(stateDir, instanceId, 'appliance.log');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => lineOf(instanceId.slice(0, 9), line));
  });
}

/** A line of an appliance's log, told briefly; of etcd's own only errors and worse. */
function lineOf(who: string, line: string): readonly Line[] {
  if (line === '') return [];
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return [{ at: 0, text: `${who} ${line}` }];
  }
  const { level, time, component, msg, ...rest } = fields;
  if (component === 'etcd' && (level === 'info' || level === 'warn')) return [];
  const said = [rest['planner'] ?? rest['what'], rest['reason'], rest['sentence']].filter(
    (it) => typeof it === 'string',
  );
  const text = said.length > 0 ? said.join(' ') : JSON.stringify(rest);
  return [
    {
      at: Date.parse(String(time)),
      text: `${who} ${String(level)} ${String(component)} ${String(msg)} ${text}`,
    },
  ];
}
