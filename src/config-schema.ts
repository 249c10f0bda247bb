import { isIP } from 'node:net';
import path from 'node:path';
// The small form of zod: the other takes a tenth of the time until the first question of a start.
import * as z from 'zod/mini';

/** The variables, in the order in which they are described. The YAML file uses the same names. */
export type ConfigKey = (typeof KEYS)[number];

export const KEYS = [
  'HOSTED_ZONE',
  'ACTIVE_REGIONS',
  'ADVERTISE',
  'STACK_NAME',
  'ETCD_DIR',
  'ETCD_VERSION',
  'ETCD_EXTRA_FLAGS',
  'DATA_DIR',
  'LISTEN_ADDRESS',
  'STATUS_PORT',
  'LOG_LEVEL',
  'HOUSEKEEPING_INTERVAL',
  'BOOTSTRAP_WAIT',
] as const;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const HOUR_MS = 3_600_000;

/** A duration like 500ms, 90s, 2m or 1h, in ms, within bounds. */
function duration(minMs: number, maxMs: number) {
  return z.pipe(
    z.string().check(z.regex(/^\d+(\.\d+)?(ms|s|m|h)$/)),
    z.pipe(
      z.transform((text: string) =>
        Math.round(Number.parseFloat(text) * (UNITS_MS[text.replace(/^[\d.]+/, '')] ?? 1)),
      ),
      z.number().check(z.minimum(minMs), z.maximum(maxMs)),
    ),
  );
}

/** A list of words, each trimmed: of YAML, or of one text that `separator` splits. */
function list(separator: RegExp) {
  return z.union([
    z.pipe(
      z.string(),
      z.transform((text: string) => text.split(separator)),
    ),
    z.array(z.string().check(z.trim())),
  ]);
}

/** A list of words: of YAML, or separated by commas or blanks. */
const words = z.pipe(
  list(/[\s,]+/),
  z.transform((all: string[]) => [...new Set(all.filter((word) => word !== ''))]),
);

/** Flags may hold commas in their values, and may be given twice on purpose. */
const flags = z.pipe(
  z.pipe(
    list(/\s+/),
    z.transform((all: string[]) => all.filter((flag) => flag !== '')),
  ),
  z.array(z.string().check(z.regex(/^--[a-z0-9][a-z0-9-]*(=.*)?$/))),
);

const directory = z.pipe(
  z.string().check(z.refine((text) => path.isAbsolute(text) && path.resolve(text) !== '/')),
  z.transform((text: string) => path.resolve(text)),
);

const ZONE_ID = /^Z[A-Z0-9]{1,31}$/;

const hostedZone = z.pipe(
  z.pipe(z.string(), z.transform(zoneWord)),
  z
    .string()
    .check(
      z.refine(
        (text) =>
          ZONE_ID.test(text) || /^(?!.{200})([a-z0-9_]([a-z0-9_-]{0,62})\.)*[a-z0-9-]{1,63}$/.test(text),
      ),
    ),
);

/** An id without the path that some tools print before it; a name in lower case and without its last dot. */
function zoneWord(text: string): string {
  const word = text.replace(/^\/hostedzone\//, '');
  return ZONE_ID.test(word) ? word : word.toLowerCase().replace(/\.$/, '');
}

/** One variable: how its text becomes a value, and the words that say which texts are allowed. */
export const SETTINGS = {
  HOSTED_ZONE: {
    schema: hostedZone,
    allowed: 'the name of a hosted zone, as example.org, or its id, as Z0123456789ABC',
  },
  ACTIVE_REGIONS: {
    schema: z.pipe(
      words,
      z.array(z.string().check(z.regex(/^[a-z]{2}(-[a-z]+)+-\d$/))).check(z.minLength(1)),
    ),
    allowed: 'AWS regions separated by commas, as eu-central-1,eu-west-1',
  },
  ADVERTISE: { schema: z.enum(['private', 'public']), allowed: 'private or public' },
  STACK_NAME: {
    // The part behind the last dash becomes a label of DNS names.
    schema: z
      .string()
      .check(z.regex(/^[A-Za-z](?=.{0,127}$)([A-Za-z0-9-]*-)?[A-Za-z0-9]{0,63}$/), z.regex(/[A-Za-z0-9]$/)),
    allowed: 'letters, digits and dashes, a letter first and no dash last, as etcd-prod',
  },
  ETCD_DIR: { schema: directory, allowed: 'an absolute path, not /' },
  ETCD_VERSION: {
    schema: z.pipe(
      z.string().check(z.regex(/^v?3\.[4-7](\.\d+)?$/)),
      z.transform((text: string) => text.replace(/^v/, '')),
    ),
    allowed: 'a minor from 3.4 to 3.7, as 3.6, or a version of these, as 3.6.16',
  },
  ETCD_EXTRA_FLAGS: {
    schema: flags,
    allowed: 'flags of etcd, each as --flag or --flag=value, none that the appliance sets itself',
  },
  DATA_DIR: { schema: directory, allowed: 'an absolute path, not /' },
  LISTEN_ADDRESS: {
    schema: z.string().check(z.refine((text) => isIP(text) !== 0)),
    allowed: 'an IP address',
  },
  STATUS_PORT: {
    schema: z.pipe(
      z.pipe(z.string().check(z.regex(/^\d{1,5}$/)), z.transform(Number)),
      z.number().check(z.minimum(1), z.maximum(65_535)),
    ),
    allowed: 'a port from 1 to 65535, not 2379 or 2380',
  },
  LOG_LEVEL: { schema: z.enum(['debug', 'info', 'warn', 'error']), allowed: 'debug, info, warn or error' },
  HOUSEKEEPING_INTERVAL: {
    schema: duration(1000, HOUR_MS),
    allowed: 'a duration from 1s to 1h, as 90s or 2m',
  },
  BOOTSTRAP_WAIT: { schema: duration(0, 24 * HOUR_MS), allowed: 'a duration from 0s to 24h, as 90s or 2m' },
} as const satisfies Record<ConfigKey, { readonly schema: z.ZodMiniType; readonly allowed: string }>;
