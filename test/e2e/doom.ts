import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fleet } from './harness.ts';

/** At which step of which appliance a process ends: what the preloaded module reads. */
export interface Doom {
  readonly id: string;
  /** Name of the step: the n-th of this name, counted from 1, by each process for itself, from when it first sees this doom. */
  readonly step: string;
  readonly nth: number;
  /** Before the step is taken; or when its answer is here, and nobody has looked at it. */
  readonly when: 'before' | 'after';
  /** Whom it is meant for: these instances, or all others. */
  readonly meant: 'these' | 'others';
  readonly instanceIds: readonly string[];
  /** Its etcd ends with it, as both do in a container. */
  readonly withEtcd: boolean;
}

/** What appliances load to be mortal at a step. */
export const DOOM_PRELOAD = fileURLToPath(new URL('doom-preload.ts', import.meta.url));

let dooms = 0;

/** A doom that stands. */
export interface StandingDoom {
  /** Where it was fulfilled: `i-… before MemberAdd`; null: not so far. */
  readonly fulfilled: () => string | null;
  /** Names of all steps that those it is meant for came to, until it is lifted. */
  readonly seen: () => readonly string[];
  readonly lift: () => Promise<void>;
}

/** From now on whoever it is meant for ends at its step, once. */
export async function doom({ sandbox }: Fleet, what: Omit<Doom, 'id'>): Promise<StandingDoom> {
  const { stateDir } = sandbox.addresses;
  dooms += 1;
  const id = String(dooms);
  const path = join(stateDir, 'doom.json');
  await writeFile(`${path}.new`, JSON.stringify({ id, ...what } satisfies Doom));
  await rename(`${path}.new`, path);
  const read = (file: string): string | null => (existsSync(file) ? readFileSync(file, 'utf8') : null);
  return {
    fulfilled: () => read(join(stateDir, `doom-${id}`)),
    seen: () =>
      [...new Set((read(join(stateDir, `doom-${id}.steps`)) ?? '').split('\n'))].filter((it) => it !== ''),
    lift: () => rm(path, { force: true }),
  };
}
