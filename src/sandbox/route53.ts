import type { CallContext } from './api.ts';
import type { Answer, Call, WireRequest } from './call.ts';
import { CloudError, notSimulated } from './cloud-error.ts';
import type { RecordSnapshot } from './model.ts';
import { plainName, shownName, sortKey } from './names.ts';
import { isoTime, xmlDocument, type XmlNode } from './wire-query.ts';
import { readChangeBatch, readXml } from './wire-rest-xml.ts';
import type { HostedZone, ZoneChange } from './world.ts';
import { needZone, sortedRecords, sortedZones } from './zones.ts';

const NAMESPACE = 'https://route53.amazonaws.com/doc/2013-04-01/';
const PREFIX = '/2013-04-01/';
const MAX_RECORDS = 300;
const MAX_ZONES = 100;

/** One request with the id in its path, and where it is answered. */
interface Asked {
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly context: CallContext;
}

type Handler = (asked: Asked) => Answer;

function answer(root: string, content: Readonly<Record<string, XmlNode>>, status = 200): Answer {
  return { status, body: xmlDocument(root, NAMESPACE, content) };
}

function onlyQuery(query: URLSearchParams, ...known: readonly string[]): void {
  const other = [...query.keys()].find((key) => !known.includes(key));
  if (other !== undefined) throw notSimulated(`the query parameter ${other}`);
}

function maxItems(query: URLSearchParams, most: number): number {
  const text = query.get('maxitems');
  if (text === null) return most;
  if (!/^[1-9]\d*$/.test(text))
    throw new CloudError('InvalidInput', `Invalid max items ${text}: use 1 to ${String(most)}`);
  return Math.min(most, Number(text));
}

function zoneXml(zone: HostedZone): XmlNode {
  return {
    Id: `/hostedzone/${zone.id}`,
    Name: shownName(zone.name),
    CallerReference: zone.callerReference,
    Config: { Comment: zone.comment, PrivateZone: zone.private },
    ResourceRecordSetCount: zone.records.size,
  };
}

function changeXml(change: ZoneChange, context: CallContext): XmlNode {
  return {
    Id: `/change/${change.id}`,
    Status: context.parts.zones.isInSync(change) ? 'INSYNC' : 'PENDING',
    SubmittedAt: isoTime(change.submittedAtMs),
    ...(change.comment === '' ? {} : { Comment: change.comment }),
  };
}

function recordXml(record: RecordSnapshot): XmlNode {
  return {
    Name: shownName(record.name),
    Type: record.type,
    TTL: record.ttl,
    ResourceRecords: { ResourceRecord: record.values.map((Value) => ({ Value })) },
  };
}

function delegation(zone: HostedZone): Readonly<Record<string, XmlNode>> {
  if (zone.private) return { VPCs: { VPC: [{ VPCRegion: 'eu-central-1', VPCId: 'vpc-0a0b0c0d' }] } };
  const servers = zone.records.get(`${zone.name} NS`)?.values ?? [];
  return { DelegationSet: { NameServers: { NameServer: servers.map((it) => it.replace(/\.$/, '')) } } };
}

function createZone({ body, context }: Asked): Answer {
  const request = readXml(body, 'CreateHostedZoneRequest');
  const config = request.child('HostedZoneConfig');
  const wanted = {
    name: request.need('Name'),
    callerReference: request.need('CallerReference'),
    comment: config?.text('Comment') ?? '',
    private: config?.text('PrivateZone') === 'true' || request.child('VPC') !== null,
  };
  request.child('VPC');
  request.done();
  const { zone, change } = context.parts.zones.create(wanted);
  const content = { HostedZone: zoneXml(zone), ChangeInfo: changeXml(change, context), ...delegation(zone) };
  const made = answer('CreateHostedZoneResponse', content, 201);
  return { ...made, headers: { location: `${NAMESPACE}hostedzone/${zone.id}` } };
}

function listZones({ query, context }: Asked): Answer {
  onlyQuery(query, 'marker', 'maxitems');
  const size = maxItems(query, MAX_ZONES);
  const marker = query.get('marker');
  const all = context.show.of([...context.world.zones.values()], () => true);
  const start = marker === null ? 0 : all.findIndex((zone) => zone.id === marker);
  if (start < 0) throw new CloudError('InvalidInput', `The marker ${marker ?? ''} is not valid`);
  const next = all[start + size];
  return answer('ListHostedZonesResponse', {
    HostedZones: { HostedZone: all.slice(start, start + size).map(zoneXml) },
    Marker: marker ?? undefined,
    IsTruncated: next !== undefined,
    NextMarker: next?.id,
    MaxItems: size,
  });
}

function listZonesByName({ query, context }: Asked): Answer {
  onlyQuery(query, 'dnsname', 'hostedzoneid', 'maxitems');
  const size = maxItems(query, MAX_ZONES);
  const name = query.get('dnsname');
  const id = query.get('hostedzoneid')?.replace(/^\/hostedzone\//, '') ?? '';
  if (id !== '' && name === null) throw new CloudError('InvalidInput', 'HostedZoneId needs DNSName');
  const from = name === null ? '' : `${sortKey(plainName(name))}\n${id}`;
  const all = context.show.of(sortedZones(context.world), () => true);
  const rest = all.filter((zone) => `${sortKey(zone.name)}\n${zone.id}` >= from);
  const next = rest[size];
  return answer('ListHostedZonesByNameResponse', {
    HostedZones: { HostedZone: rest.slice(0, size).map(zoneXml) },
    DNSName: name ?? undefined,
    HostedZoneId: id === '' ? undefined : id,
    IsTruncated: next !== undefined,
    NextDNSName: next === undefined ? undefined : shownName(next.name),
    NextHostedZoneId: next?.id,
    MaxItems: size,
  });
}

function getZone({ id, context }: Asked): Answer {
  const zone = needZone(context.world, id);
  return answer('GetHostedZoneResponse', { HostedZone: zoneXml(zone), ...delegation(zone) });
}

function listRecords({ id, query, context }: Asked): Answer {
  onlyQuery(query, 'name', 'type', 'maxitems');
  const size = maxItems(query, MAX_RECORDS);
  const name = query.get('name');
  const type = query.get('type');
  if (type !== null && name === null)
    throw new CloudError('InvalidInput', 'The record type needs a record name');
  const zone = needZone(context.world, id);
  const from = name === null ? '' : `${sortKey(plainName(name))}\n${type ?? ''}`;
  const all = sortedRecords(zone).filter((record) => `${sortKey(record.name)}\n${record.type}` >= from);
  const shown = context.show.of(all, (it) => context.asking !== null && it.name.includes(context.asking));
  const next = shown[size];
  return answer('ListResourceRecordSetsResponse', {
    ResourceRecordSets: { ResourceRecordSet: shown.slice(0, size).map(recordXml) },
    IsTruncated: next !== undefined,
    NextRecordName: next === undefined ? undefined : shownName(next.name),
    NextRecordType: next?.type,
    MaxItems: size,
  });
}

function changeRecords({ id, query, body, context }: Asked): Answer {
  onlyQuery(query);
  const { changes, comment } = readChangeBatch(body);
  const change = context.parts.zones.change(id, changes, comment);
  return answer('ChangeResourceRecordSetsResponse', { ChangeInfo: changeXml(change, context) });
}

function getChange({ id, context }: Asked): Answer {
  const change = context.world.changes.get(id);
  if (change === undefined)
    throw new CloudError('NoSuchChange', `Could not find resource with ID: ${id}`, 404);
  return answer('GetChangeResponse', { ChangeInfo: changeXml(change, context) });
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly action: string;
  readonly changes: boolean;
  readonly run: Handler;
}

const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^hostedzone$/, action: 'CreateHostedZone', changes: true, run: createZone },
  { method: 'GET', path: /^hostedzone$/, action: 'ListHostedZones', changes: false, run: listZones },
  {
    method: 'GET',
    path: /^hostedzonesbyname$/,
    action: 'ListHostedZonesByName',
    changes: false,
    run: listZonesByName,
  },
  { method: 'GET', path: /^hostedzone\/([^/]+)$/, action: 'GetHostedZone', changes: false, run: getZone },
  {
    method: 'GET',
    path: /^hostedzone\/([^/]+)\/rrset$/,
    action: 'ListResourceRecordSets',
    changes: false,
    run: listRecords,
  },
  {
    method: 'POST',
    path: /^hostedzone\/([^/]+)\/rrset$/,
    action: 'ChangeResourceRecordSets',
    changes: true,
    run: changeRecords,
  },
  { method: 'GET', path: /^change\/([^/]+)$/, action: 'GetChange', changes: false, run: getChange },
];

function failure(error: CloudError): Answer {
  return answer(
    'ErrorResponse',
    {
      Error: { Type: error.status >= 500 ? 'Receiver' : 'Sender', Code: error.code, Message: error.message },
      RequestId: '00000000-0000-4000-8000-000000000000',
    },
    error.status,
  );
}

/** True for paths of Route 53's API. */
export function isRoute53(path: string): boolean {
  return path.startsWith(PREFIX);
}

/** A Route 53 request; unknown ones become calls that answer 501. */
export function route53Call(request: WireRequest): Call {
  const path = request.url.pathname.slice(PREFIX.length).replace(/\/$/, '');
  const route = ROUTES.find((it) => it.method === request.method && it.path.test(path));
  const id = route?.path.exec(path)?.[1] ?? '';
  return {
    service: 'route53',
    action: route?.action ?? `${request.method} ${path}`,
    changes: route?.changes ?? false,
    run(context) {
      context.parts.zones.admit();
      if (route === undefined) throw notSimulated(`${request.method} ${request.url.pathname} of Route 53`);
      return route.run({ id, query: request.url.searchParams, body: request.body, context });
    },
    fail: failure,
  };
}
