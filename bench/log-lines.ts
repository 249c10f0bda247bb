import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of an appliance's log, etcd's among them; epoch ms. */
export interface Line {
  readonly atMs: number;
  readonly instanceId: string;
  readonly line: Readonly<Record<string, unknown>>;
}

/** Reads what all appliances of a sandbox logged so far, by time. */
export function readLines(stateDir: string): readonly Line[] {
  return readdirSync(stateDir)
    .map((instanceId) => ({ instanceId, file: join(stateDir, instanceId, 'appliance.log') }))
    .filter(({ file }) => existsSync(file))
    .flatMap(({ instanceId, file }) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((text) => text.startsWith('{') && text.endsWith('}'))
        .map((text) => JSON.parse(text) as Line['line'])
        .map((line) => ({ instanceId, line, atMs: Date.parse(String(line['time'] ?? line['ts'])) })),
    )
    .toSorted((one, other) => one.atMs - other.atMs);
}
