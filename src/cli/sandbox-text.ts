import Table from 'cli-table3';
import type { SandboxState } from '../sandbox/control.ts';
import type { CutFrom } from '../sandbox/cuts.ts';
import type { CloudEvent, EventFields, SecurityGroupSnapshot } from '../sandbox/model.ts';

/** A table without colours, for people and for pipes. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** A claim is long, and its beginning says which it is. */
const LONGEST_FIELD = 80;

/** One line of the event log: time of day, what, and its fields, each shortened. */
export function renderEvent({ seq, atMs, type, fields }: CloudEvent): string {
  const time = new Date(atMs).toISOString().slice(11, 23);
  return `${String(seq).padStart(5)} ${time} ${type} ${renderFields(fields)}`.trimEnd();
}

function renderFields(fields: EventFields): string {
  return Object.entries(fields)
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const)
    .map(
      ([name, text]) => `${name}=${text.length > LONGEST_FIELD ? `${text.slice(0, LONGEST_FIELD)}…` : text}`,
    )
    .join(' ');
}

function short(text: string): string {
  return text.length > LONGEST_FIELD ? `${text.slice(0, LONGEST_FIELD)}…` : text;
}

/** Instances, records, faults and cuts of a sandbox, as a person reads them. */
export function renderState(state: SandboxState): string {
  const { addresses, cloud, machines, cuts, regionCuts } = state;
  const instances = cloud.instances.map((instance) => {
    const machine = machines.find(({ instanceId }) => instanceId === instance.instanceId);
    return [
      instance.instanceId,
      instance.zone,
      [instance.address, ...(instance.publicAddress === null ? [] : [instance.publicAddress])].join('\n'),
      instance.state,
      instance.lifecycleState ?? '-',
      processText(machine?.appliance ?? null),
      processText(machine?.etcd ?? null),
      cutText(cuts[instance.instanceId]?.from, regionCuts[instance.region]),
    ];
  });
  const records = cloud.zones.flatMap((zone) =>
    zone.records.map(({ name, type, ttl, values }) => [
      name,
      type,
      String(ttl),
      values.map(short).join('\n'),
    ]),
  );
  const faults = cloud.faults.map((fault) => [
    fault.id,
    fault.kind,
    fault.service,
    fault.action,
    fault.instance,
    fault.region ?? (fault.fromRegion === undefined ? '*' : `from ${fault.fromRegion}`),
    String(fault.hits),
  ]);
  return [
    `AWS endpoint ${addresses.aws}, control ${addresses.control}, DNS ${addresses.dns.address} port ${addresses.dns.port}`,
    `files ${addresses.stateDir}${addresses.hub === null ? '' : `, network namespace ${addresses.hub}`}`,
    renderTable(['instance', 'zone', 'address', 'EC2', 'group', 'appliance', 'etcd', 'cut from'], instances),
    renderTable(['record', 'type', 'TTL', 'values'], records),
    // Where all know each other by private addresses, the rules are as they were at the start.
    ...(cloud.regions.length > 1 ? [renderRules(cloud.securityGroups)] : []),
    ...(faults.length === 0
      ? []
      : [renderTable(['fault', 'kind', 'service', 'action', 'instance', 'region', 'hits'], faults)]),
  ].join('\n');
}

function renderRules(groups: readonly SecurityGroupSnapshot[]): string {
  const rows = groups.flatMap(({ region, rules }) =>
    rules.map(({ protocol, fromPort, toPort, from, description }) => [
      region,
      `${protocol} ${fromPort}-${toPort}`,
      from,
      short(description),
    ]),
  );
  return renderTable(['region', 'lets in', 'from', 'description'], rows);
}

function cutText(own: CutFrom | undefined, region: CutFrom | undefined): string {
  const words = [own ?? [], region === undefined ? [] : `${region} (region)`].flat();
  return words.length === 0 ? '-' : words.join(', ');
}

function processText(process: { readonly pid: number; readonly frozen: boolean } | null): string {
  if (process === null) return '-';
  return `${process.pid}${process.frozen ? ' frozen' : ''}`;
}
