import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { OpenedZone } from '../app-zone.ts';
import type { ClaimReading } from '../core/claim.ts';
import { ApplianceError } from '../errors.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';
import { withRegister } from './register.ts';
import type { SeenRegister } from './register.ts';

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
      const { config } = await loadFromEnvironment(options.config);
      await withRegister(given, config, (seen) => {
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
      const { config } = await loadFromEnvironment(options.config);
      await withRegister(given, config, async (seen, zone) => release(seen, zone, options.confirm));
    });
}

function render({ cluster, register, reading, records }: SeenRegister): string {
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

async function release(seen: SeenRegister, opened: OpenedZone, confirmed: string | undefined): Promise<void> {
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
  } catch (error) {
    // Ctrl-C and Ctrl-D, which are keys here, are no name.
    if (error instanceof Error && error.name === 'AbortError') return '';
    throw error;
  } finally {
    terminal.close();
  }
}
