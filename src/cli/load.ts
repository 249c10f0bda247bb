import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { loadConfig } from '../config.ts';
import type { ConfigChecks, LoadedConfig } from '../config.ts';
import { defaultEtcdDirectory } from '../etcd/layout.ts';
import { collidingFlags } from '../etcd/flags.ts';

/** The words of `--config`, the same for every verb that has it. */
export const CONFIG_OPTION = ['--config <file>', 'YAML file with the same keys as the environment'] as const;

/** The configuration of this process: its environment, and the file named on the command line, if any. Throws `configuration`. */
export async function loadFromEnvironment(
  file: string | undefined,
  { needsZone = false }: Pick<ConfigChecks, 'needsZone'> = {},
): Promise<LoadedConfig> {
  return loadConfig(process.env, file ?? null, {
    collidingFlags,
    needsZone,
    defaultEtcdDir: defaultEtcdDirectory(homedir(), process.env['XDG_CACHE_HOME'], existsSync('/opt/etcd')),
  });
}
