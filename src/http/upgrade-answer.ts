import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { LogReplay, V2Content } from '../core/inspection.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import { parseAnswer, readCount, readFields, readText } from './answer-fields.ts';
import type { Fields } from './answer-fields.ts';
import { readEtcdAtHand } from './etcd-at-hand.ts';

/**
 * Checks what another appliance answered on `/upgrade`, field by field: a step rests on it, and what is missing must never
 * read as "nothing is in the way". Fields that this version does not know are ignored, so that versions can be mixed.
 */
export function parseUpgradeAnswer(text: string): Known<UpgradeAnswer> {
  return parseAnswer(text, readAnswer);
}

function readAnswer(fields: Fields, problems: string[]): UpgradeAnswer {
  return {
    instanceId: readText(fields['instanceId'], 'instanceId', problems),
    ...readEtcdAtHand(fields, '', problems),
    v2: readKnown(fields['v2'], 'v2', problems, readV2),
    replay: readKnown(fields['replay'], 'replay', problems, readReplay),
    freeBytes: readKnown(fields['freeBytes'], 'freeBytes', problems, readCount),
  };
}

type Read<T> = (value: unknown, what: string, problems: string[]) => T;

function readKnown<T>(value: unknown, what: string, problems: string[], read: Read<T>): Known<T> {
  const fields = readFields(value, what, problems);
  if (fields['known'] === true) return known(read(fields['value'], what, problems));
  if (fields['known'] === false) return unknown(readText(fields['reason'], `${what}.reason`, problems));
  problems.push(`${what} is neither known nor unknown`);
  return unknown('');
}

const readV2: Read<V2Content> = (value, what, problems) => {
  if (value === 'clean' || value === 'wal-requests' || value === 'store') return value;
  problems.push(`${what} is none of clean, wal-requests, store`);
  return 'store';
};

const readReplay: Read<LogReplay> = (value, what, problems) => {
  const fields = readFields(value, what, problems);
  const lastV2 = fields['lastV2Index'];
  return {
    snapshotIndex: readCount(fields['snapshotIndex'], `${what}.snapshotIndex`, problems),
    lastIndex: readCount(fields['lastIndex'], `${what}.lastIndex`, problems),
    lastV2Index: lastV2 === null ? null : readCount(lastV2, `${what}.lastV2Index`, problems),
  };
};
