import type { BirthAnswer, EtcdAtHand } from '../core/birth.ts';
import type { Known } from '../core/known.ts';
import { parseAnswer, readBoolean, readCount, readFields, readText } from './answer-fields.ts';
import type { Fields } from './answer-fields.ts';
import { readEtcdAtHand } from './etcd-at-hand.ts';

/**
 * Checks what another appliance answered on `/birth`, field by field: a birth rests on it, and a field that is missing
 * must never read as "no data". Fields that this version does not know are ignored, so that versions can be mixed.
 */
export function parseBirthAnswer(text: string): Known<BirthAnswer> {
  return parseAnswer(text, readAnswer);
}

const NONCE = /^[0-9a-f]{32}$/;

type Holding = NonNullable<BirthAnswer['data']>;

function readAnswer(fields: Fields, problems: string[]): BirthAnswer {
  return {
    instanceId: readText(fields['instanceId'], 'instanceId', problems),
    stack: readText(fields['stack'], 'stack', problems),
    data: fields['data'] === null ? null : readHolding(fields['data'], 'data', problems),
    aside: readAside(fields['aside'], problems),
    mark: fields['mark'] === null ? null : readMark(fields['mark'], problems),
    nonce: readNonce(fields['nonce'], problems),
    etcd: readEtcd(fields['etcd'], problems),
    epoch: readCount(fields['epoch'], 'epoch', problems),
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

/** Older versions do not say. */
function readEtcd(value: unknown, problems: string[]): EtcdAtHand | null {
  if (value === undefined || value === null) return null;
  return readEtcdAtHand(readFields(value, 'etcd', problems), 'etcd.', problems);
}

/** Older versions offer none. It becomes part of a record: what is no nonce must not get into a batch. */
function readNonce(value: unknown, problems: string[]): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && NONCE.test(value)) return value;
  problems.push('nonce is not 32 hex digits');
  return null;
}
