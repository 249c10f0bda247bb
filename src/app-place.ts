import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { AwsClients } from './aws/clients.ts';
import type { HostedZone } from './aws/hosted-zone.ts';
import { findHostedZone } from './aws/hosted-zone.ts';
import type { Place } from './aws/identity.ts';
import { findPlace } from './aws/identity.ts';
import type { InstanceIdentity, Metadata } from './aws/metadata.ts';
import type { Config } from './config.ts';
import type { Known } from './core/known.ts';
import { unknown } from './core/known.ts';
import { ApplianceError, describeError } from './errors.ts';
import type { Log } from './http/log.ts';

/** Where the appliance lives: never changes while the instance does. */
export interface Residence extends Place {
  readonly zone: HostedZone;
}

const FILE = 'place.json';
const RETRY_MS = 1_000;

/** Asks metadata who this instance is, for as long as it takes: without it nothing can be decided. */
export async function whoAmI(metadata: Metadata, log: Log, signal: AbortSignal): Promise<InstanceIdentity> {
  return await untilKnown('metadata', () => metadata.identity(signal), log, signal);
}

/**
 * Finds stack, group and hosted zone. What was found is kept beside the data: while AWS does not answer, an appliance that
 * comes back on the same instance starts its etcd on what was true before.
 */
export async function findResidence(
  config: Config,
  identity: InstanceIdentity,
  clients: AwsClients,
  log: Log,
  signal: AbortSignal,
): Promise<Residence> {
  const kept = await readKept(config, identity);
  for (;;) {
    const found = await askAws(config, identity, clients, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (kept === null) throw error;
      // A second zone of the same name, say, that came later: what is known by id is as it was.
      log.error({ error }, 'what AWS says of the configuration is an error: what was kept is used');
      return unknown(describeError(error));
    });
    if (found.known) {
      // It is needed only where AWS does not answer one day: a full disk keeps nothing from running now.
      await keep(config, found.value).catch((error: unknown) =>
        log.error({ error }, 'where this instance belongs could not be kept beside the data'),
      );
      return found.value;
    }
    if (kept !== null) {
      log.warn(
        { reason: found.reason },
        'AWS does not say where this instance belongs: what was kept is used',
      );
      return kept;
    }
    log.warn({ reason: found.reason }, 'AWS does not say where this instance belongs: it is asked again');
    await setTimeout(RETRY_MS, undefined, { signal });
  }
}

async function askAws(
  config: Config,
  identity: InstanceIdentity,
  clients: AwsClients,
  signal: AbortSignal,
): Promise<Known<Residence>> {
  const { hostedZone } = config;
  if (hostedZone === null) {
    const problem =
      'HOSTED_ZONE: none is configured; allowed is the name or id of a Route 53 zone: without a register for the claim nothing is born';
    throw new ApplianceError({ code: 'configuration', problems: [problem] }, problem);
  }
  const { region } = identity;
  const calls = { ec2: clients.ec2(region), autoScaling: clients.autoScaling(region) };
  const [place, zone] = await Promise.all([
    findPlace(identity, config.stackName, calls, signal),
    findHostedZone(clients.route53(), hostedZone, signal),
  ]);
  if (!place.known) return place;
  if (!zone.known) return zone;
  return { known: true, value: { ...place.value, zone: zone.value } };
}

interface Kept {
  readonly format: 1;
  readonly hostedZone: string | null;
  readonly residence: Residence;
}

async function keep(config: Config, residence: Residence): Promise<void> {
  const kept: Kept = { format: 1, hostedZone: config.hostedZone, residence };
  await mkdir(config.dataDir, { recursive: true });
  const path = join(config.dataDir, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(kept, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** What was kept, if it is of this instance and this configuration: a cloned disk or a new zone makes it worthless. */
async function readKept(config: Config, identity: InstanceIdentity): Promise<Residence | null> {
  try {
    const kept = JSON.parse(await readFile(join(config.dataDir, FILE), 'utf8')) as Kept;
    const { residence } = kept;
    const same =
      kept.format === 1 &&
      kept.hostedZone === config.hostedZone &&
      residence.self.id === identity.instanceId &&
      residence.self.address === identity.address;
    return same ? residence : null;
  } catch {
    return null;
  }
}

async function untilKnown<T>(
  what: string,
  ask: () => Promise<Known<T>>,
  log: Log,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer.known) return answer.value;
    log.warn({ what, reason: answer.reason }, 'does not answer yet');
    await setTimeout(RETRY_MS, undefined, { signal });
  }
}
