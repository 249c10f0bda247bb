import type { Known } from './known.ts';
import { known, unknown } from './known.ts';
import type { FailedStep, UpgradeRecord, UpgradeStep } from './upgrade.ts';

/** The lock of a step: lease-bound, its value is the instance id of the holder. */
export const UPGRADE_LOCK_KEY = '_upgrade_lock';

/** What is kept of an upgrade, under one prefix, so that one read gives all of it. */
export const UPGRADE_PREFIX = '_appliance/upgrade/';

/** The keys below the prefix. An operator writes the first two, the holder of the lock the others. */
export const UPGRADE_KEYS = {
  to: `${UPGRADE_PREFIX}to`,
  paused: `${UPGRADE_PREFIX}paused`,
  step: `${UPGRADE_PREFIX}step`,
  failed: `${UPGRADE_PREFIX}failed`,
} as const;

/** A part of the record as its key's value; none is an empty one. */
export function encodePart(part: UpgradeRecord[keyof UpgradeRecord]): string {
  return part === null ? '' : JSON.stringify(part);
}

/**
 * Reads the record. A key that is missing or empty says none; one that cannot be read makes the whole unknown: a newer
 * appliance, or a hand, may have written what must not be passed over.
 */
export function decodeRecord(
  keys: readonly { readonly key: string; readonly value: string }[],
): Known<UpgradeRecord> {
  const problems: string[] = [];
  const part = <T>(key: string, read: (value: unknown) => T | null): T | null => {
    const value = keys.find((it) => it.key === key)?.value ?? '';
    if (value === '') return null;
    const found = read(parsed(value));
    if (found === null) problems.push(key);
    return found;
  };
  const record = {
    to: part(UPGRADE_KEYS.to, (it) => (typeof it === 'string' && isVersion(it) ? it : null)),
    paused: part(UPGRADE_KEYS.paused, readPaused),
    step: part(UPGRADE_KEYS.step, readStep),
    failed: part(UPGRADE_KEYS.failed, readFailed),
  };
  return problems.length === 0
    ? known(record)
    : unknown(`${problems.join(' and ')} in etcd cannot be read: another version's, or a hand's; delete it`);
}

/** Whether a text is a version or a minor, as 3.6.16 or 3.6. */
export function isVersion(text: string): boolean {
  return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){1,2}$/.test(text);
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What is no object has no fields of the names that are asked for. */
function fieldsOf(value: unknown): Fields {
  return { ...(value as Fields | null) };
}

function readPaused(value: unknown): { readonly at: string } | null {
  const { at } = fieldsOf(value);
  return typeof at === 'string' ? { at } : null;
}

function readStep(value: unknown): UpgradeStep | null {
  const { by, from, to, at } = fieldsOf(value);
  const texts = typeof by === 'string' && typeof at === 'string';
  if (!texts || typeof from !== 'string' || typeof to !== 'string') return null;
  return { by, from, to, at };
}

function readFailed(value: unknown): FailedStep | null {
  const step = readStep(value);
  const { why } = fieldsOf(value);
  return step === null || typeof why !== 'string' ? null : { ...step, why };
}
