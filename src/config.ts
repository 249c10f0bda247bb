import type * as z from 'zod/mini';
import { MOST_PROBLEMS, NO_FILE, quote } from './config-content.ts';
import type { FileContent } from './config-content.ts';
import { KEYS, SETTINGS } from './config-schema.ts';
import type { ConfigKey } from './config-schema.ts';
import { ApplianceError } from './errors.ts';

/** What can be configured. Everything else is measured, asked of AWS, or a number of design.md section 7. */
export interface Config {
  /** Name of the hosted zone (lower case, no final dot), or its id (`Z…`); null: no Route 53. */
  readonly hostedZone: string | null;
  /** Regions of one cluster over several; empty: the instance's own region only. */
  readonly activeRegions: readonly string[];
  /** By which address instances know each other; null: private within one region, public over several. */
  readonly advertise: 'private' | 'public' | null;
  /** Folder with a subfolder of binaries per etcd version. */
  readonly etcdDir: string;
  /** What a birth uses: a minor (`3.6`) or a version (`3.6.16`); null: the newest there is. */
  readonly etcdVersion: string | null;
  readonly dataDir: string;
  /** Null: the instance's private address. */
  readonly listenAddress: string | null;
  readonly statusPort: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** How often AWS is looked at while all is well. */
  readonly housekeepingIntervalMs: number;
  /** How long a birth waits for a complete fleet before a majority is enough. */
  readonly bootstrapWaitMs: number;
  /** Used where no tag of CloudFormation names the stack. */
  readonly stackName: string | null;
  /** Appended to etcd's own flags, each `--flag` or `--flag=value`. */
  readonly etcdExtraFlags: readonly string[];
}

/** Environment variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a value came from. */
export type Source = 'environment' | 'file' | 'default';

/** A whole configuration, and how it came about. */
export interface LoadedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<ConfigKey, Source>>;
  /** Sentences about variables that are set and have no effect: worth a warning, no reason not to start. */
  readonly notices: readonly string[];
}

/** What the configuration cannot know by itself. */
export interface ConfigChecks {
  /** Those of the flags that the appliance sets itself. */
  readonly collidingFlags: (flags: readonly string[]) => readonly string[];
  /** Where etcd's binaries are when nothing is configured: it depends on the machine. */
  readonly defaultEtcdDir: string;
  /** Whether nothing can be done without a hosted zone: a problem then, like any other. Default: not. */
  readonly needsZone?: boolean;
}

/** What is said where there is no hosted zone, and nothing can be done without one. */
export const NO_ZONE = `HOSTED_ZONE: none is configured; allowed is ${SETTINGS.HOSTED_ZONE.allowed}: without a register for the claim nothing is born`;

type Parsed = { readonly [K in ConfigKey]?: z.output<(typeof SETTINGS)[K]['schema']> };

/** A value as it was given. */
interface Given {
  readonly value: unknown;
  readonly source: Source;
}

/**
 * Makes a configuration of environment variables and what a file holds, the environment first. An
 * empty value counts as not given. Throws `configuration` with every problem there is, one line each.
 */
export function readConfig(env: Environment, file: FileContent, checks: ConfigChecks): LoadedConfig {
  const given = new Map<ConfigKey, Given>();
  for (const key of KEYS) {
    const fromEnv = env[key]?.trim();
    const fromFile = file.values[key];
    if (fromEnv !== undefined && fromEnv !== '') given.set(key, { value: fromEnv, source: 'environment' });
    else if (fromFile !== undefined && fromFile !== '') given.set(key, { value: fromFile, source: 'file' });
  }
  const { parsed, problems: badValues } = parseValues(given);
  const config = withDefaults(parsed, checks);
  // Of a file that is none nobody knows what it was to say.
  const lacksZone = checks.needsZone === true && !given.has('HOSTED_ZONE') && file.problems.length === 0;
  const problems = [
    ...file.problems,
    ...unknownKeys(file),
    ...(lacksZone ? [NO_ZONE] : []),
    ...badValues,
    ...contradictions(config, parsed, checks),
  ];
  if (problems.length > 0) {
    throw new ApplianceError(
      { code: 'configuration', problems },
      `the configuration is not valid:\n${problems.join('\n')}`,
    );
  }
  const sources = Object.fromEntries(KEYS.map((key) => [key, given.get(key)?.source ?? 'default']));
  return {
    config: Object.freeze(config),
    sources: sources as Record<ConfigKey, Source>,
    notices: ineffective(env),
  };
}

/** `readConfig` of the file at `file`, if any. Throws `configuration` where it cannot be read, too. */
export async function loadConfig(
  env: Environment,
  file: string | null,
  checks: ConfigChecks,
): Promise<LoadedConfig> {
  return readConfig(env, file === null ? NO_FILE : await readFileAt(file), checks);
}

/** What reads YAML is loaded where there is some: nothing should hold up the first questions of a start. */
async function readFileAt(file: string): Promise<FileContent> {
  const { readConfigFile, readYaml } = await import('./config-file.ts');
  return readYaml(await readConfigFile(file));
}

function unknownKeys(file: FileContent): readonly string[] {
  return Object.keys(file.values)
    .filter((key) => !(KEYS as readonly string[]).includes(key))
    .slice(0, MOST_PROBLEMS)
    .map((key) => `${quote(key)} in the file is no known key; allowed are ${hintFor(key)}`);
}

function hintFor(key: string): string {
  const near = KEYS.filter((known) => distance(known, key.toUpperCase()) <= 2);
  return (near.length > 0 ? near : KEYS).join(', ');
}

function parseValues(given: ReadonlyMap<ConfigKey, Given>): { parsed: Parsed; problems: readonly string[] } {
  const parsed: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, { value, source }] of given) {
    const result = SETTINGS[key].schema.safeParse(value);
    if (result.success) parsed[key] = result.data;
    else
      problems.push(
        `${key}: ${quote(value)} (${source}) is not allowed; allowed is ${SETTINGS[key].allowed}`,
      );
  }
  return { parsed, problems };
}

function withDefaults(parsed: Parsed, checks: ConfigChecks): Config {
  return {
    hostedZone: parsed.HOSTED_ZONE ?? null,
    activeRegions: Object.freeze(parsed.ACTIVE_REGIONS ?? []),
    advertise: parsed.ADVERTISE ?? null,
    etcdDir: parsed.ETCD_DIR ?? checks.defaultEtcdDir,
    etcdVersion: parsed.ETCD_VERSION ?? null,
    dataDir: parsed.DATA_DIR ?? '/var/lib/etcd-appliance',
    listenAddress: parsed.LISTEN_ADDRESS ?? null,
    statusPort: parsed.STATUS_PORT ?? 2378,
    logLevel: parsed.LOG_LEVEL ?? 'info',
    housekeepingIntervalMs: parsed.HOUSEKEEPING_INTERVAL ?? 2 * 60_000,
    bootstrapWaitMs: parsed.BOOTSTRAP_WAIT ?? 2 * 60_000,
    stackName: parsed.STACK_NAME ?? null,
    etcdExtraFlags: Object.freeze(parsed.ETCD_EXTRA_FLAGS ?? []),
  };
}

function contradictions(config: Config, parsed: Parsed, checks: ConfigChecks): readonly string[] {
  const problems: string[] = [];
  const { dataDir, etcdDir, statusPort } = config;
  if (statusPort === 2379 || statusPort === 2380) {
    problems.push(`STATUS_PORT: ${statusPort} is etcd's own; allowed is ${SETTINGS.STATUS_PORT.allowed}`);
  }
  if (isWithin(dataDir, etcdDir) || isWithin(etcdDir, dataDir)) {
    problems.push(
      `DATA_DIR: ${quote(dataDir)} and ETCD_DIR ${quote(etcdDir)} overlap; allowed are two separate directories`,
    );
  }
  for (const flag of checks.collidingFlags(parsed.ETCD_EXTRA_FLAGS ?? [])) {
    problems.push(
      `ETCD_EXTRA_FLAGS: ${quote(flag)} is set by the appliance; allowed are ${SETTINGS.ETCD_EXTRA_FLAGS.allowed}`,
    );
  }
  return problems;
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

/** Variables of etcd, which the appliance never hands on (`etcd install` reads one), and ours misspelt. */
function ineffective(env: Environment): readonly string[] {
  const names = Object.keys(env).filter((name) => !(KEYS as readonly string[]).includes(name));
  return names.sort().flatMap((name) => {
    const near = KEYS.find((key) => distance(key, name) <= 2);
    if (near !== undefined) return [`${name} is not read; did you mean ${near}?`];
    return name.startsWith('ETCD_') && name !== 'ETCD_RELEASES_URL'
      ? [`${name} is not handed on to etcd; use ETCD_EXTRA_FLAGS`]
      : [];
  });
}

/** Edits between two words (Levenshtein); anything above 2 may come out as any number above 2. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of a.split('').entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** One line of the effective configuration. */
export interface ConfigRow {
  readonly key: string;
  readonly value: string;
  readonly source: Source;
}

const SDK_KEYS = ['AWS_REGION', 'AWS_ENDPOINT_URL', 'AWS_EC2_METADATA_SERVICE_ENDPOINT'] as const;

/**
 * The effective configuration, with where each value came from. An allow-list: what is not named here, credentials
 * above all, is never shown. Of the SDK's own variables only those that redirect it are, without user and password.
 */
export function describeConfig(loaded: LoadedConfig, env: Environment): readonly ConfigRow[] {
  const { config, sources } = loaded;
  const values: Readonly<Record<ConfigKey, string>> = {
    HOSTED_ZONE: config.hostedZone ?? '(none)',
    ACTIVE_REGIONS: config.activeRegions.join(',') || "(the instance's own)",
    ADVERTISE: config.advertise ?? '(private; over several regions public)',
    STACK_NAME: config.stackName ?? "(the instance's tag)",
    ETCD_DIR: config.etcdDir,
    ETCD_VERSION: config.etcdVersion ?? '(the newest installed)',
    ETCD_EXTRA_FLAGS: config.etcdExtraFlags.join(' ') || '(none)',
    DATA_DIR: config.dataDir,
    LISTEN_ADDRESS: config.listenAddress ?? "(the instance's own)",
    STATUS_PORT: String(config.statusPort),
    LOG_LEVEL: config.logLevel,
    HOUSEKEEPING_INTERVAL: `${config.housekeepingIntervalMs / 1000}s`,
    BOOTSTRAP_WAIT: `${config.bootstrapWaitMs / 1000}s`,
  };
  const own = KEYS.map((key) => ({ key, value: values[key], source: sources[key] }));
  const sdk = SDK_KEYS.flatMap((key) => {
    const value = env[key];
    return value ? [{ key, value: value.replace(/\/\/[^/]*@/, '//'), source: 'environment' as const }] : [];
  });
  return [...own, ...sdk];
}
