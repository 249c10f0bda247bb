import type { EtcdAtHand } from '../core/birth.ts';
import { isVersion } from '../core/upgrade-record.ts';
import { readText } from './answer-fields.ts';
import type { Fields } from './answer-fields.ts';

/** What another appliance says of its etcd, in its answers: `installed` and `wanted`, below `prefix`. */
export function readEtcdAtHand(fields: Fields, prefix: string, problems: string[]): EtcdAtHand {
  const { installed, wanted } = fields;
  return {
    installed: readVersions(installed, `${prefix}installed`, problems),
    wanted: wanted === null ? null : readVersion(wanted, `${prefix}wanted`, problems),
  };
}

function readVersion(value: unknown, what: string, problems: string[]): string {
  const text = readText(value, what, problems);
  if (text !== '' && !isVersion(text)) problems.push(`${what} is no version`);
  return text;
}

function readVersions(value: unknown, what: string, problems: string[]): readonly string[] {
  if (!Array.isArray(value)) {
    problems.push(`${what} is no list`);
    return [];
  }
  return value.map((it: unknown, index) => readVersion(it, `${what}[${index}]`, problems));
}
