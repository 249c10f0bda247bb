import type { BirthAnswer } from '../core/birth.ts';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';

/**
 * Checks what another appliance answered on `/birth`, field by field: a birth rests on it, and a field that is missing
 * must never read as "no data". Fields that this version does not know are ignored, so that versions can be mixed.
 */
export function parseBirthAnswer(text: string): Known<BirthAnswer> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unknown('the answer is not JSON');
  }
  const problems: string[] = [];
  const answer = readAnswer(json, problems);
  return problems.length === 0 ? known(answer) : unknown(`the answer is not valid: ${problems.join(', ')}`);
}

const NONCE = /^[0-9a-f]{32}$/;

type Holding = NonNullable<BirthAnswer['data']>;
type Fields = Readonly<Record<string, unknown>>;

function readAnswer(json: unknown, problems: string[]): BirthAnswer {
  const fields = readFields(json, 'the whole', problems);
  return {
    instanceId: readText(fields['instanceId'], 'instanceId', problems),
    stack: readText(fields['stack'], 'stack', problems),
    data: fields['data'] === null ? null : readHolding(fields['data'], 'data', problems),
    aside: readAside(fields['aside'], problems),
    mark: fields['mark'] === null ? null : readMark(fields['mark'], problems),
    nonce: readNonce(fields['nonce'], problems),
    epoch: readEpoch(fields['epoch'], problems),
  };
}

function readHolding(value: unknown, what: string, problems: string[]): Holding {
  const fields = readFields(value, what, problems);
  const textOrNull = (key: string) =>
    fields[key] === null ? null : readText(fields[key], `${what}.${key}`, problems);
  return {
    token: textOrNull('token'),
    clusterId: textOrNull('clusterId'),
    formed: readBoolean(fields['formed'], `${what}.formed`, problems),
  };
}

function readAside(value: unknown, problems: string[]): readonly Holding[] {
  if (!Array.isArray(value)) {
    problems.push('aside is no list');
    return [];
  }
  return value.map((entry: unknown, index) => readHolding(entry, `aside[${index}]`, problems));
}

function readMark(value: unknown, problems: string[]): NonNullable<BirthAnswer['mark']> {
  const fields = readFields(value, 'mark', problems);
  return {
    token: readText(fields['token'], 'mark.token', problems),
    started: readBoolean(fields['started'], 'mark.started', problems),
  };
}

/** Older versions offer none. It becomes part of a record: what is no nonce must not get into a batch. */
function readNonce(value: unknown, problems: string[]): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && NONCE.test(value)) return value;
  problems.push('nonce is not 32 hex digits');
  return null;
}

function readFields(value: unknown, what: string, problems: string[]): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  problems.push(`${what} is no object`);
  return {};
}

function readText(value: unknown, what: string, problems: string[]): string {
  if (typeof value === 'string' && value !== '') return value;
  problems.push(`${what} is no text`);
  return '';
}

function readBoolean(value: unknown, what: string, problems: string[]): boolean {
  if (typeof value === 'boolean') return value;
  problems.push(`${what} is neither true nor false`);
  return false;
}

function readEpoch(value: unknown, problems: string[]): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  problems.push('epoch is no whole number');
  return 0;
}
