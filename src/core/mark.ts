import { CLAIM_TTL_SECONDS } from './numbers.ts';
import { markName } from './names.ts';
import type { RecordSet } from './records.ts';
import { decodeAtom, decodeTxt, decodeWords, encodeAtom, encodeTxt, encodeWords } from './txt.ts';

/** The record by which an instance says, before it does so, that it starts a founding member. */
export interface Mark {
  readonly instanceId: string;
  readonly token: string;
  /** Tells the instance's own mark from one made before its disk was lost. */
  readonly nonce: string;
}

/** The record set of a mark. */
export function markRecord(cluster: string, mark: Mark): RecordSet {
  const text = encodeWords([
    ['v', '1'],
    ['token', encodeAtom(mark.token)],
    ['nonce', encodeAtom(mark.nonce)],
  ]);
  return {
    name: markName(cluster, mark.instanceId),
    type: 'TXT',
    ttl: CLAIM_TTL_SECONDS,
    values: [encodeTxt(text)],
  };
}

/** An instance's mark among the records: null where there is none; a malformed one has an empty token and nonce. */
export function readMark(
  cluster: string,
  instanceId: string,
  records: readonly RecordSet[],
): { readonly mark: Mark; readonly record: RecordSet } | null {
  const name = markName(cluster, instanceId);
  const record = records.find((it) => it.name === name && it.type === 'TXT');
  if (record === undefined) return null;
  const text = decodeTxt(record.values[0] ?? '');
  const words = text === null ? null : decodeWords(text);
  const word = (key: string): string => decodeAtom(words?.get(key) ?? '') ?? '';
  return { mark: { instanceId, token: word('token'), nonce: word('nonce') }, record };
}

/** The instance ids (lower case) of all marks among the records, with their records. */
export function allMarks(
  cluster: string,
  records: readonly RecordSet[],
): readonly { readonly instanceId: string; readonly record: RecordSet }[] {
  const prefix = '_etcd-start.';
  const suffix = `.${cluster}`;
  return records
    .filter((it) => it.type === 'TXT' && it.name.startsWith(prefix) && it.name.endsWith(suffix))
    .map((record) => ({ instanceId: record.name.slice(prefix.length, -suffix.length), record }));
}
