import { hostName, namesOf, serviceValue } from './names.ts';
import { CLIENT_PORT, NAME_TTL_SECONDS } from './numbers.ts';
import type { RecordChange, RecordSet } from './records.ts';

/** What one member's place among the client names is planned from. */
export interface OwnNamesObservation {
  readonly cluster: string;
  readonly records: readonly RecordSet[];
  readonly self: { readonly id: string; readonly address: string };
  /** Whether it is to be found by clients. */
  readonly serves: boolean;
}

/**
 * Takes one member out of the client names, or puts it back, and touches nobody else's: while a member steps, the names are
 * its own business. A set that it would leave empty stays as it is (law 9).
 */
export function planOwnNames(seen: OwnNamesObservation): readonly RecordChange[] {
  const names = namesOf(seen.cluster);
  const service = serviceValue(seen.cluster, seen.self.id, CLIENT_PORT);
  const host = hostName(seen.cluster, seen.self.id);
  const isFound = seen.records.some((it) => it.name === host && it.type === 'A');
  return [
    // Who was never named before has no host name yet, which the services lead to.
    ...(seen.serves && !isFound ? changeOf(seen, host, 'A', seen.self.address) : []),
    ...changeOf(seen, names.cluster, 'A', seen.self.address),
    ...changeOf(seen, names.server, 'A', seen.self.address),
    ...names.srvClient.flatMap((name) => changeOf(seen, name, 'SRV', service)),
  ];
}

function changeOf(
  { records, serves }: OwnNamesObservation,
  name: string,
  type: 'A' | 'SRV',
  own: string,
): readonly RecordChange[] {
  const current = records.find((it) => it.name === name && it.type === type);
  const others = (current?.values ?? []).filter((it) => it !== own);
  const values = serves ? [...others, own].sort() : others;
  if (values.length === 0 || (current?.values.includes(own) ?? false) === serves) return [];
  const wanted: RecordChange = { action: 'CREATE', record: { name, type, ttl: NAME_TTL_SECONDS, values } };
  return current === undefined ? [wanted] : [{ action: 'DELETE', record: current }, wanted];
}
