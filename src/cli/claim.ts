import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { openZone } from '../app-zone.ts';
import type { OpenedZone } from '../app-zone.ts';
import { readClaim } from '../core/claim.ts';
import type { ClaimReading } from '../core/claim.ts';
import { clusterLabel, namesOf } from '../core/names.ts';
import { ownRecords } from '../core/own-records.ts';
import type { RecordSet } from '../core/records.ts';
import { ApplianceError } from '../errors.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';

/** `etcd-appliance claim show [NAME]` and `etcd-appliance claim release NAME` (design.md section 4). */
export function addClaimCommand(program: Command): void {
  const claim = program
    .command('claim')
    .description('the record by which exactly one cluster lives under a name');
  const name = 'the cluster, as demo or demo.example.org';
  claim
    .command('show')
    .description('print the claim and all records that the appliances keep under the name')
    .argument('[name]', `${name}; without it, that of STACK_NAME`)
    .option(...CONFIG_OPTION)
    .option('--json', 'as JSON')
    .action(async (given: string | undefined, options: { config?: string; json?: true }) => {
      await withRegister(given, options.config, (seen) => {
        process.stdout.write(options.json ? `${JSON.stringify(seen, null, 2)}\n` : render(seen));
      });
    });
  claim
    .command('release')
    .description(
      'delete the claim and all that is ours under the name: the next group starts a new, empty cluster',
    )
    .argument('<name>', name)
    .option(...CONFIG_OPTION)
    .option('--confirm <name>', 'the full name, instead of typing it when asked')
    .action(async (given: string, options: { config?: string; confirm?: string }) => {
      await withRegister(given, options.config, async (seen, zone) => release(seen, zone, options.confirm));
    });
}

/** What stands under a name. */
interface Seen {
  readonly cluster: string;
  readonly register: string;
  readonly reading: ClaimReading;
  /** Ours, the claim among them. */
  readonly records: readonly RecordSet[];
}

async function withRegister(
  given: string | undefined,
  file: string | undefined,
  use: (seen: Seen, zone: OpenedZone) => void | Promise<void>,
): Promise<void> {
  const { config } = await loadFromEnvironment(file);
  if (config.hostedZone === null) {
    const problem =
      'HOSTED_ZONE: none is configured; allowed is the name or id of the zone that holds the claim';
    throw new ApplianceError({ code: 'configuration', problems: [problem] }, problem);
  }
  const region = process.env['AWS_REGION'] || (config.activeRegions[0] ?? 'us-east-1');
  const opened = await openZone(config.hostedZone, region, new AbortController().signal);
  try {
    await use(await read(opened, fullName(given ?? ownLabel(config.stackName), opened.zone.name)), opened);
  } finally {
    opened.close();
  }
}

function ownLabel(stack: string | null): string {
  if (stack !== null) return clusterLabel(stack);
  throw new ApplianceError(
    { code: 'usage' },
    'no name given, and no STACK_NAME configured; name the cluster',
  );
}

function fullName(given: string, zone: string): string {
  const name = given.toLowerCase().replace(/\.$/, '');
  if (/^[a-z0-9-]+$/.test(name)) return `${name}.${zone}`;
  if (name.endsWith(`.${zone}`)) return name;
  throw new ApplianceError({ code: 'usage' }, `${JSON.stringify(given)} is no name in the zone ${zone}`);
}

async function read(opened: OpenedZone, cluster: string): Promise<Seen> {
  const register = opened.register(cluster);
  const records = await register.list(new AbortController().signal);
  if (!records.known) throw new ApplianceError({ code: 'unavailable', service: 'route53' }, records.reason);
  const own = ownRecords(cluster, records.value);
  return {
    cluster,
    register: register.register,
    reading: readClaim(namesOf(cluster).claim, own),
    records: own,
  };
}

function render({ cluster, register, reading, records }: Seen): string {
  const list = records.map(({ name, type, ttl, values }) => `  ${name} ${ttl} ${type} ${values.join(' | ')}`);
  return [
    `${cluster} (${register})`,
    ...renderReading(reading),
    `records: ${records.length}`,
    ...list,
    '',
  ].join('\n');
}

function renderReading(reading: ClaimReading): readonly string[] {
  if (reading.kind === 'none') return ['no claim'];
  if (reading.kind === 'unreadable') return [`a claim that this version cannot read: ${reading.why}`];
  const { claim } = reading;
  const who = (list: readonly { instanceId: string; address: string }[]) =>
    list.map((one) => `${one.instanceId} ${one.address}`).join(', ') || 'none';
  return [
    `claim ${claim.state}, epoch ${claim.epoch}, of stack ${claim.stack}${claim.lived ? ', has lived' : ''}`,
    `cluster id ${claim.clusterId ?? 'not known yet'}, token ${claim.token}`,
    `founders: ${who(claim.founders)}${claim.lost.length > 0 ? `; lost: ${claim.lost.join(', ')}` : ''}`,
    `voters: ${who(claim.voters)}`,
  ];
}

async function release(seen: Seen, opened: OpenedZone, confirmed: string | undefined): Promise<void> {
  const { cluster, records } = seen;
  if (records.length === 0) {
    process.stdout.write(`nothing of ours is under ${cluster}\n`);
    return;
  }
  process.stdout.write(`${render(seen)}${MEANING}`);
  if ((confirmed ?? (await askForName(cluster))) !== cluster) {
    throw new ApplianceError(
      { code: 'usage' },
      `nothing was released: confirm with the full name ${cluster}`,
    );
  }
  const changes = records.map((record) => ({ action: 'DELETE' as const, record }));
  const outcome = await opened.register(cluster).change(changes, new AbortController().signal);
  if (outcome.kind === 'conflict') {
    throw new ApplianceError(
      { code: 'conflict', what: cluster },
      `nothing was released: ${outcome.message}; run it again`,
    );
  }
  if (outcome.kind !== 'done') {
    const word = outcome.kind === 'busy' ? 'nothing was released' : 'whether it was released is not known';
    throw new ApplianceError(
      { code: 'unavailable', service: 'route53' },
      `${word}: ${outcome.message}; run it again`,
    );
  }
  process.stdout.write(`released ${cluster}: ${records.length} record sets deleted\n`);
}

const MEANING = `
Releasing deletes these records. Clients no longer find the cluster by DNS. Appliances that
find no claim, no data and no etcd under this name will start a NEW, EMPTY cluster: release
it only when the old cluster and its data are gone for good, or are to be given up.
`;

async function askForName(cluster: string): Promise<string> {
  if (!process.stdin.isTTY) return '';
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`Type ${cluster} to release it: `)).trim();
  } finally {
    terminal.close();
  }
}
