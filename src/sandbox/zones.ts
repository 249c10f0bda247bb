import { applyBatch, recordKey, type Change } from './change-batch.ts';
import { CloudError } from './cloud-error.ts';
import type { Clock, CloudSettings, EventLog, RecordSnapshot } from './model.ts';
import { isDnsName, plainName, shownName, sortKey } from './names.ts';
import { CAPITALS, randomText } from './random.ts';
import type { HostedZone, Store, World, ZoneChange } from './world.ts';

export interface ZonesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly random: () => number;
}

export interface NewZone {
  readonly name: string;
  readonly private: boolean;
  readonly callerReference: string;
  readonly comment: string;
}

export interface Zones {
  readonly create: (zone: NewZone) => { readonly zone: HostedZone; readonly change: ZoneChange };
  /** All or nothing; throws with Route 53's error code. */
  readonly change: (zoneId: string, changes: readonly Change[], comment: string) => ZoneChange;
  /** Counts a request of the account; throws Throttling where it comes too fast. */
  readonly admit: () => void;
  readonly isInSync: (change: ZoneChange) => boolean;
}

export function needZone(world: World, id: string): HostedZone {
  const zone = world.zones.get(id);
  if (zone === undefined)
    throw new CloudError('NoSuchHostedZone', `No hosted zone found with ID: ${id}`, 404);
  return zone;
}

/** Records in the order in which Route 53 lists them: by reversed name, then by type. */
export function sortedRecords(zone: HostedZone): readonly RecordSnapshot[] {
  const order = (record: RecordSnapshot): string => `${sortKey(record.name)}\n${record.type}`;
  return [...zone.records.values()].sort((left, right) => (order(left) < order(right) ? -1 : 1));
}

export function sortedZones(world: World): readonly HostedZone[] {
  const order = (zone: HostedZone): string => `${sortKey(zone.name)}\n${zone.id}`;
  return [...world.zones.values()].sort((left, right) => (order(left) < order(right) ? -1 : 1));
}

const NAME_SERVERS = ['ns-1.awsdns-sandbox.example.', 'ns-2.awsdns-sandbox.example.'];

function firstRecords(name: string): ReadonlyMap<string, RecordSnapshot> {
  const soa = `${NAME_SERVERS[0] ?? ''} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400`;
  const records: readonly RecordSnapshot[] = [
    { name, type: 'NS', ttl: 172_800, values: NAME_SERVERS },
    { name, type: 'SOA', ttl: 900, values: [soa] },
  ];
  return new Map(records.map((record) => [recordKey(record.name, record.type), record]));
}

/** Route 53's state machine: zones, change batches, PENDING and INSYNC, the account's rate. */
export function createZones(deps: ZonesDeps): Zones {
  const { store, clock, settings, events, random } = deps;
  let tokens = 0;
  let refilledAtMs = -Infinity;

  const newChange = (comment: string): ZoneChange => ({
    id: `C${randomText(random, 20, CAPITALS)}`,
    submittedAtMs: clock.now(),
    comment,
  });

  return {
    create(wanted) {
      const name = plainName(wanted.name);
      if (!isDnsName(name))
        throw new CloudError('InvalidDomainName', `${wanted.name} is not a valid domain name`);
      const twin = [...store.world().zones.values()].some(
        (zone) => zone.callerReference === wanted.callerReference,
      );
      if (twin) {
        throw new CloudError(
          'HostedZoneAlreadyExists',
          `A hosted zone has already been created with the specified caller reference.`,
          409,
        );
      }
      const zone: HostedZone = {
        ...wanted,
        name,
        id: `Z${randomText(random, 20, CAPITALS)}`,
        records: firstRecords(name),
        changedAtMs: null,
      };
      const change = newChange('');
      store.setZone(zone, change);
      events.emit('zone-created', { zoneId: zone.id, name });
      return { zone, change };
    },
    change(zoneId, changes, comment) {
      const zone = needZone(store.world(), zoneId);
      if (zone.changedAtMs !== null && clock.now() < zone.changedAtMs + settings().route53BusyMs) {
        throw new CloudError(
          'PriorRequestNotComplete',
          'The request was rejected because Route 53 was still processing a prior request.',
        );
      }
      const records = applyBatch(zone.records, zone.name, changes);
      const change = newChange(comment);
      store.setZone({ ...zone, records, changedAtMs: clock.now() }, change);
      for (const { action, name, type, ttl, values } of changes) {
        events.emit('record-change', { zoneId, action, name: shownName(plainName(name)), type, ttl, values });
      }
      return change;
    },
    admit() {
      const limit = settings().route53RateLimit;
      if (limit <= 0) return;
      const nowMs = clock.now();
      tokens = Math.min(limit, tokens + (Math.max(0, nowMs - refilledAtMs) * limit) / 1000);
      refilledAtMs = nowMs;
      if (tokens < 1) {
        events.emit('throttled', { service: 'route53' });
        throw new CloudError('Throttling', 'Rate exceeded');
      }
      tokens -= 1;
    },
    isInSync: (change) => clock.now() >= change.submittedAtMs + settings().route53PendingMs,
  };
}
