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
  /** Whether names of steps say what they are about: `Txn _self_maintenance_lock`, `ChangeResourceRecordSets claim`. */
  readonly inFull?: boolean;
  /** Its etcd ends with it, as both do in a container. */
  readonly withEtcd: boolean;
  /** What stands once this one was fulfilled: for the next life of who ended, from its first step on. */
  readonly afterwards?: Omit<Doom, 'id' | 'afterwards'>;
}

/** What appliances load to be mortal at a step. */
export const DOOM_PRELOAD = fileURLToPath(new URL('doom-preload.ts', import.meta.url));

let dooms = 0;

/** A doom that stands, or the last of two that do. */
export interface StandingDoom {
  /** Where it was fulfilled: `i-… before MemberAdd`; null: not so far. */
  readonly fulfilled: () => string | null;
  /** Names of all steps that those it is meant for came to, until it is lifted. */
  readonly seen: () => readonly string[];
  /** The steps that this instance came to in the same time, each as often as it did. */
  readonly stepsOf: (instanceId: string) => readonly string[];
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
  const last = what.afterwards === undefined ? id : `${id}-then`;
  const read = (file: string): string | null => (existsSync(file) ? readFileSync(file, 'utf8') : null);
  const lines = (): readonly string[] =>
    (read(join(stateDir, `doom-${last}.steps`)) ?? '').split('\n').filter((it) => it !== '');
  const stepsOf: StandingDoom['stepsOf'] = (instanceId) =>
    lines().flatMap((it) => (it.startsWith(`${instanceId} `) ? [it.slice(instanceId.length + 1)] : []));
  return {
    fulfilled: () => read(join(stateDir, `doom-${last}`)),
    seen: () => [...new Set(lines().map((it) => it.replace(/^\S+ /, '')))],
    stepsOf,
    lift: () => rm(path, { force: true }),
  };
}
