import { XMLParser } from 'fast-xml-parser';
import type { Change } from './change-batch.ts';
import { CloudError, notSimulated } from './cloud-error.ts';

/** A parsed element: its text, or its children by name (those that may repeat are always arrays). */
type Parsed = string | readonly Parsed[] | { readonly [name: string]: Parsed };

const REPEATED = new Set(['Change', 'ResourceRecord']);
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  isArray: (name) => REPEATED.has(name),
});

/** The fields of an element; what nobody reads is not simulated, and `done` says so. */
export interface XmlFields {
  readonly text: (name: string) => string | null;
  readonly need: (name: string) => string;
  readonly child: (name: string) => XmlFields | null;
  readonly children: (name: string) => readonly XmlFields[];
  readonly done: () => void;
}

function fieldsOf(parsed: Parsed | undefined, path: string): XmlFields {
  const fields = new Map(
    typeof parsed === 'object' && !Array.isArray(parsed)
      ? Object.entries(parsed)
      : ([] as [string, Parsed][]),
  );
  const unread = new Set(fields.keys());
  const take = (name: string): Parsed | undefined => {
    unread.delete(name);
    return fields.get(name);
  };
  const text = (name: string): string | null => {
    const value = take(name);
    return typeof value === 'string' ? value : null;
  };
  return {
    text,
    need(name) {
      const value = text(name);
      if (value === null || value === '') throw new CloudError('InvalidInput', `${path}${name} is missing`);
      return value;
    },
    child(name) {
      const value = take(name);
      return value === undefined ? null : fieldsOf(value, `${path}${name}.`);
    },
    children(name) {
      const value = take(name);
      return Array.isArray(value) ? value.map((one: Parsed) => fieldsOf(one, `${path}${name}.`)) : [];
    },
    done() {
      if (unread.size > 0) throw notSimulated(`${path}${[...unread].join(`, ${path}`)}`);
    },
  };
}

/** The fields of a request's root element. Throws MalformedInput where the body is no XML or another element. */
export function readXml(body: string, root: string): XmlFields {
  let parsed: Parsed;
  try {
    parsed = parser.parse(body) as Parsed;
  } catch (error) {
    throw new CloudError('MalformedInput', `the request is not XML: ${String(error)}`);
  }
  if (typeof parsed !== 'object' || !(root in parsed)) {
    throw new CloudError('MalformedInput', `the request is not valid, expected ${root}`);
  }
  const fields = fieldsOf(parsed, '').child(root);
  if (fields === null) throw new CloudError('MalformedInput', `the request is empty, expected ${root}`);
  return fields;
}

function readChange(change: XmlFields): Change {
  const action = change.need('Action');
  const set = change.child('ResourceRecordSet');
  if (set === null) throw new CloudError('InvalidInput', 'ResourceRecordSet is missing');
  const ttl = set.text('TTL');
  const records = set.child('ResourceRecords')?.children('ResourceRecord') ?? [];
  const read: Change = {
    action,
    name: set.need('Name'),
    type: set.need('Type'),
    ttl: ttl === null ? null : Number(ttl),
    values: records.map((record) => record.text('Value') ?? ''),
  };
  set.done();
  change.done();
  return read;
}

/** The changes of a ChangeResourceRecordSets request, and its comment. Aliases, routing policies and health checks are a 501. */
export function readChangeBatch(body: string): {
  readonly changes: readonly Change[];
  readonly comment: string;
} {
  const batch = readXml(body, 'ChangeResourceRecordSetsRequest').child('ChangeBatch');
  if (batch === null) throw new CloudError('MalformedInput', 'ChangeBatch is missing');
  const comment = batch.text('Comment') ?? '';
  const changes = (batch.child('Changes')?.children('Change') ?? []).map(readChange);
  batch.done();
  return { changes, comment };
}
