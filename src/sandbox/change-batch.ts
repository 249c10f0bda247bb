import { CloudError, notSimulated } from './cloud-error.ts';
import type { RecordSnapshot } from './model.ts';
import { isDnsName, isWithin, plainName, shownName } from './names.ts';
import { isRecordType, RECORD_TYPES, valueProblem } from './record-values.ts';

export interface Change {
  readonly action: string;
  readonly name: string;
  readonly type: string;
  readonly ttl: number | null;
  readonly values: readonly string[];
}

type Records = ReadonlyMap<string, RecordSnapshot>;

const MAX_RECORDS = 1_000;
const MAX_CHARACTERS = 32_000;
const MAX_TTL = 2_147_483_647;

export function recordKey(name: string, type: string): string {
  return `${name} ${type}`;
}

function invalid(messages: readonly string[]): CloudError {
  return new CloudError('InvalidChangeBatch', `[${messages.join(', ')}]`);
}

/** Limits of a batch: 1,000 records and 32,000 characters of values, an UPSERT counted twice. */
function checkLimits(changes: readonly Change[]): void {
  if (changes.length === 0) {
    throw new CloudError('MalformedInput', 'ChangeBatch is not valid, expected at least one change');
  }
  const weight = (change: Change): number => (change.action === 'UPSERT' ? 2 : 1);
  const sum = (size: (change: Change) => number): number =>
    changes.reduce((total, change) => total + weight(change) * size(change), 0);
  if (sum((change) => change.values.length) > MAX_RECORDS) {
    throw invalid([`Number of records limit of ${String(MAX_RECORDS)} exceeded.`]);
  }
  if (sum((change) => change.values.join('').length) > MAX_CHARACTERS) {
    throw invalid([`Number of characters limit of ${String(MAX_CHARACTERS)} exceeded.`]);
  }
}

/** What of a change is malformed whatever the zone holds: answered as InvalidInput. */
function checkForm(change: Change): void {
  if (!['CREATE', 'DELETE', 'UPSERT'].includes(change.action)) {
    throw new CloudError(
      'InvalidInput',
      `Invalid change action ${change.action}: use CREATE, DELETE or UPSERT`,
    );
  }
  if (!isRecordType(change.type)) throw notSimulated(`record sets of type ${change.type}`);
  if (change.ttl === null || change.values.length === 0) {
    throw new CloudError(
      'InvalidInput',
      'Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], ' +
        `but found ${change.ttl === null && change.values.length === 0 ? 'none' : 'more than one'} in Change with ` +
        `[Action=${change.action}, Name=${change.name}, Type=${change.type}, SetIdentifier=null]`,
    );
  }
  if (!Number.isInteger(change.ttl) || change.ttl < 0 || change.ttl > MAX_TTL) {
    throw new CloudError('InvalidInput', `Invalid TTL ${String(change.ttl)}: use 0 to ${String(MAX_TTL)}`);
  }
}

/** What is wrong with a change's name and values, in Route 53's words. */
function problems(zoneName: string, change: Change): readonly string[] {
  const name = plainName(change.name);
  const shown = shownName(name);
  const found: string[] = [];
  if (!isDnsName(name))
    found.push(`FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '${shown}'`);
  if (!isWithin(name, zoneName)) {
    found.push(`RRSet with DNS name ${shown} is not permitted in zone ${shownName(zoneName)}`);
  }
  if (change.type === 'CNAME' && name === zoneName) {
    found.push(
      `RRSet of type CNAME with DNS name ${shown} is not permitted at apex in zone ${shownName(zoneName)}`,
    );
  }
  if (change.type === 'CNAME' && change.values.length > 1) {
    found.push(`RRSet of type CNAME with DNS name ${shown} has more than one value`);
  }
  const seen = new Set<string>();
  for (const value of change.values) {
    const problem = isRecordType(change.type) ? valueProblem(change.type, value) : null;
    if (problem !== null) found.push(problem);
    if (seen.has(value)) found.push(`Duplicate Resource Record: '${value}'`);
    seen.add(value);
  }
  return found;
}

function sameSet(left: RecordSnapshot, right: RecordSnapshot): boolean {
  const sorted = (values: readonly string[]): string => JSON.stringify([...values].sort());
  return left.ttl === right.ttl && sorted(left.values) === sorted(right.values);
}

function cnameConflict(records: Records, zoneName: string, record: RecordSnapshot): string | null {
  const others =
    record.type === 'CNAME' ? RECORD_TYPES.filter((type) => type !== 'CNAME') : (['CNAME'] as const);
  const conflict = others.some((type) => type !== record.type && records.has(recordKey(record.name, type)));
  if (!conflict) return null;
  const shown = shownName(record.name);
  return `RRSet of type ${record.type} with DNS name ${shown} is not permitted as it conflicts with other records with the same DNS name in zone ${shownName(zoneName)}`;
}

/** Applies one change to `records`; gives what Route 53 says against it, or null. */
function applyOne(records: Map<string, RecordSnapshot>, zoneName: string, change: Change): string | null {
  const record: RecordSnapshot = {
    name: plainName(change.name),
    type: change.type,
    ttl: change.ttl ?? 0,
    values: change.values,
  };
  const key = recordKey(record.name, record.type);
  const current = records.get(key);
  const set = `resource record set [name='${shownName(record.name)}', type='${record.type}']`;
  if (change.action === 'DELETE') {
    if (current === undefined) return `Tried to delete ${set} but it was not found`;
    if (!sameSet(current, record)) {
      return `Tried to delete ${set} but the values provided do not match the current values`;
    }
    if (record.name === zoneName && record.type === 'SOA')
      return 'A HostedZone must contain exactly one SOA record.';
    if (record.name === zoneName && record.type === 'NS') {
      return 'A HostedZone must contain at least one NS record for the zone itself.';
    }
    records.delete(key);
    return null;
  }
  if (change.action === 'CREATE' && current !== undefined)
    return `Tried to create ${set} but it already exists`;
  const conflict = cnameConflict(records, zoneName, record);
  if (conflict !== null) return conflict;
  records.set(key, record);
  return null;
}

/** One set may be changed once in a batch, or deleted and then made anew. */
function checkRepeats(changes: readonly Change[]): void {
  const actions = new Map<string, string>();
  for (const change of changes) {
    const name = plainName(change.name);
    const key = recordKey(name, change.type);
    const before = actions.get(key);
    const sequence = before === undefined ? change.action : `${before} ${change.action}`;
    if (before !== undefined && sequence !== 'DELETE CREATE') {
      throw invalid([
        `The request contains an invalid set of changes for a resource record set '${change.type} ${shownName(name)}'`,
      ]);
    }
    actions.set(key, sequence);
  }
}

/**
 * All of a batch or nothing: the records of a zone after the changes, in their order. Throws a CloudError with Route 53's
 * code and sentence where one of them cannot be.
 */
export function applyBatch(records: Records, zoneName: string, changes: readonly Change[]): Records {
  checkLimits(changes);
  for (const change of changes) checkForm(change);
  const malformed = changes.flatMap((change) => problems(zoneName, change));
  if (malformed.length > 0) throw invalid(malformed);
  checkRepeats(changes);
  const next = new Map(records);
  const refused = changes
    .map((change) => applyOne(next, zoneName, change))
    .filter((message): message is string => message !== null);
  if (refused.length > 0) throw invalid(refused);
  return next;
}
