import type { ResourceRecordSet } from '@aws-sdk/client-route-53';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { ChangeOutcome, RecordChange, RecordSet } from '../core/records.ts';
import type { Route53Calls } from './calls.ts';
import { ask } from './failure.ts';
import type { HostedZone } from './hosted-zone.ts';
import { isAtOrBelow, plainName } from './record-names.ts';
import { changeRecords } from './zone-change.ts';
import type { ChangeDeps } from './zone-change.ts';

/** The cluster's part of a hosted zone. */
export interface ZoneOptions {
  readonly zone: HostedZone;
  /** The cluster's full name, such as demo.example.org. */
  readonly name: string;
}

/** The register of the claim, and the names. Nothing here throws but the caller's abort. */
export interface Zone {
  /** Where the claim is: `route53:<zone id>/<record name>`. */
  readonly register: string;
  /**
   * All A, SRV and TXT sets at and below the cluster's name; one call where they fit on one page (300 sets). Sets that
   * are not plain (aliases, weighted ones and the like) are not ours, and are left out. Each list is one moment of the
   * zone only as far as one page goes; the compare-and-swap of a change does not rest on it.
   */
  list(signal: AbortSignal): Promise<Known<readonly RecordSet[]>>;
  /** All or nothing. Busy is answered after the tries that the deadline allowed. */
  change(changes: readonly RecordChange[], signal: AbortSignal): Promise<ChangeOutcome>;
}

/** Makes the zone's adapter. */
export function createZone(options: ZoneOptions, deps: ChangeDeps): Zone {
  const name = plainName(options.name);
  const { zone } = options;
  return {
    register: `route53:${zone.id}/_etcd-cluster.${name}`,
    list: (signal) => listRecords(deps.calls, zone.id, name, signal),
    change: (changes, signal) => changeRecords(zone.id, changes, deps, signal),
  };
}

const MOST_PAGES = 100;

/**
 * Route 53 lists by reversed labels, `org.example.demo.` before `org.example.demo._tcp.`: the name and all that is
 * below it stand together, and the first set that does not belong ends them.
 */
async function listRecords(
  calls: Route53Calls,
  zoneId: string,
  name: string,
  signal: AbortSignal,
): Promise<Known<readonly RecordSet[]>> {
  const records: RecordSet[] = [];
  let from: Start = { StartRecordName: `${name}.` };
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await ask('Route 53, asked for the records,', signal, () =>
      calls.listResourceRecordSets({ HostedZoneId: zoneId, MaxItems: 300, ...from }, signal),
    );
    if (!answer.known) return answer;
    const { ResourceRecordSets: sets, IsTruncated, ...next } = answer.value;
    if (sets === undefined || IsTruncated === undefined || !sets.every(isWhole))
      return unknown('Route 53 describes the records incompletely');
    const mine = sets.filter((set) => isAtOrBelow(plainName(set.Name ?? ''), name));
    records.push(...mine.flatMap((set) => recordSetOf(set)));
    if (!IsTruncated) return known(records);
    if (next.NextRecordName === undefined)
      return unknown('Route 53 cut its answer short without saying where');
    if (!isAtOrBelow(plainName(next.NextRecordName), name)) return known(records);
    from = {
      StartRecordName: next.NextRecordName,
      ...(next.NextRecordType !== undefined && { StartRecordType: next.NextRecordType }),
      ...(next.NextRecordIdentifier !== undefined && { StartRecordIdentifier: next.NextRecordIdentifier }),
    };
  }
  return unknown(`Route 53 answers with more than ${MOST_PAGES} pages of records`);
}

type Start = Pick<
  Parameters<Route53Calls['listResourceRecordSets']>[0],
  'StartRecordName' | 'StartRecordType' | 'StartRecordIdentifier'
>;

/** Whether a set has what every set has; the SDK reads a number that is none as NaN. */
function isWhole({ Name, Type, TTL }: ResourceRecordSet): boolean {
  return Boolean(Name) && Boolean(Type) && (TTL === undefined || Number.isInteger(TTL));
}

function recordSetOf(set: ResourceRecordSet): readonly RecordSet[] {
  const { Name, Type, TTL, ResourceRecords, SetIdentifier } = set;
  if (Type !== 'A' && Type !== 'SRV' && Type !== 'TXT') return [];
  if (Name === undefined || TTL === undefined || ResourceRecords === undefined || SetIdentifier !== undefined)
    return [];
  return [
    {
      name: plainName(Name),
      type: Type,
      ttl: TTL,
      values: ResourceRecords.map((record) => record.Value ?? ''),
    },
  ];
}
