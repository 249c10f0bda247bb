import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { AwsClients } from './aws/clients.ts';
import type { HostedZone } from './aws/hosted-zone.ts';
import { findHostedZone } from './aws/hosted-zone.ts';
import type { Place } from './aws/identity.ts';
import { findPlace } from './aws/identity.ts';
import type { InstanceIdentity, Metadata } from './aws/metadata.ts';
import type { OwnAddress } from './app-own-address.ts';
import { NO_ZONE } from './config.ts';
import type { Config } from './config.ts';
import type { Advertise } from './core/fleet.ts';
import { regionsWith } from './core/fleet.ts';
import type { Known } from './core/known.ts';
import { known, unknown } from './core/known.ts';
import { ApplianceError, describeError } from './errors.ts';
import type { Log } from './http/log.ts';

/** Where the appliance lives: never changes while the instance does. */
export interface Residence extends Place {
  readonly zone: HostedZone;
  /** Where the own etcd and face listen: the private address, whatever the others know this instance by. */
  readonly listen: string;
}

/** Who this instance is, and the addresses that go with the configuration. */
export interface OwnIdentity {
  readonly identity: InstanceIdentity;
  readonly own: OwnAddress;
}

/** How its questions are put. */
export interface Asking {
  readonly log: Log;
  /** Each once, and nothing is kept: by who only looks. Silence is `unavailable` then, and not waited for. */
  readonly once: boolean;
}

const FILE = 'place.json';
const RETRY_MS = 1_000;

/** Route 53 takes five calls a second from the whole account: instances without a right, say, must not use them up for ever. */
const AWS_RETRY_MAX_MS = 16_000;

/** What is waited for longer is said again after this time. */
const SAID_AGAIN_MS = 60_000;

/**
 * Asks metadata who this instance is, for as long as it takes: without it nothing can be decided. A public address that it
 * is to be known by and does not have is waited for, too: an Elastic IP is given after the start. But not by who was known by
 * one on this instance before: its etcd may live, or its data be what quorum needs, and what it is known by stays the same.
 */
export async function whoAmI(
  config: Config,
  metadata: Metadata,
  asking: Asking,
  signal: AbortSignal,
): Promise<OwnIdentity> {
  const identity = await untilKnown('metadata', () => metadata.identity(signal), asking, signal);
  const { address: listen } = identity;
  if (advertiseOf(config, identity.region) === 'private')
    return { identity, own: { address: listen, listen } };
  const ask = async (): Promise<Known<string>> => {
    const address = await metadata.publicAddress(signal);
    if (!address.known) return address;
    if (address.value !== null) return known(address.value);
    return unknown(
      'this instance has no public address (yet), and is to be known by one: give it one, or set ADVERTISE=private',
    );
  };
  const first = await ask();
  if (first.known) return { identity, own: { address: first.value, listen } };
  const kept = await keptAddress(config, identity);
  if (kept !== null) {
    const { reason } = first;
    asking.log.warn(
      { address: kept, reason },
      'metadata give no public address: the one that was kept is used',
    );
    return { identity, own: { address: kept, listen } };
  }
  const address = await untilKnown('public address', ask, asking, signal, first);
  return { identity, own: { address, listen } };
}

/** By which address instances are known: as configured, else the private one within one region, and over several the public one. */
export function advertiseOf(config: Config, ownRegion: string): Advertise {
  return config.advertise ?? (regionsWith(ownRegion, config.activeRegions).length > 1 ? 'public' : 'private');
}

/**
 * Finds stack, group and hosted zone. What was found is kept beside the data: while AWS does not answer, an appliance that
 * comes back on the same instance starts its etcd on what was true before.
 */
export async function findResidence(
  config: Config,
  me: OwnIdentity,
  clients: AwsClients,
  { log, once }: Asking,
  signal: AbortSignal,
): Promise<Residence> {
  const kept = await readKept(config, me);
  const isNews = createNews();
  for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, AWS_RETRY_MAX_MS)) {
    const found = await askAws(config, me, clients, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (kept === null) throw error;
      // A second zone of the same name, say, that came later: what is known by id is as it was.
      log.error({ error }, 'what AWS says of the configuration is an error: what was kept is used');
      return unknown(describeError(error));
    });
    if (found.known) {
      if (once) return found.value;
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
    const { reason } = found;
    if (once) throw new ApplianceError({ code: 'unavailable', service: 'aws' }, reason);
    if (isNews(reason))
      log.warn({ reason }, 'AWS does not say where this instance belongs: it is asked again');
    await setTimeout(pauseMs, undefined, { signal });
  }
}

async function askAws(
  config: Config,
  { identity, own }: OwnIdentity,
  clients: AwsClients,
  signal: AbortSignal,
): Promise<Known<Residence>> {
  const { hostedZone } = config;
  if (hostedZone === null) throw new ApplianceError({ code: 'configuration', problems: [NO_ZONE] }, NO_ZONE);
  const { region } = identity;
  const calls = { ec2: clients.ec2(region), autoScaling: clients.autoScaling(region) };
  const [place, zone] = await Promise.all([
    findPlace({ ...identity, address: own.address }, config.stackName, calls, signal),
    findHostedZone(clients.route53(), hostedZone, signal),
  ]);
  if (!place.known) return place;
  if (!zone.known) return zone;
  return { known: true, value: { ...place.value, zone: zone.value, listen: own.listen } };
}

interface Kept {
  readonly format: 1;
  readonly hostedZone: string | null;
  /** Without `listen` where an older version wrote it, which knew one address. */
  readonly residence: Omit<Residence, 'listen'> & Partial<Pick<Residence, 'listen'>>;
}

async function keep(config: Config, residence: Residence): Promise<void> {
  const kept: Kept = { format: 1, hostedZone: config.hostedZone, residence };
  await mkdir(config.dataDir, { recursive: true });
  const path = join(config.dataDir, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(kept, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** What was kept, if it is of this instance and this configuration: a cloned disk or a new zone makes it worthless. */
async function readKept(config: Config, { identity, own }: OwnIdentity): Promise<Residence | null> {
  const kept = await readFileOf(config, identity);
  const same = kept?.hostedZone === config.hostedZone && kept.residence.self.address === own.address;
  return same ? kept.residence : null;
}

/** The public address by which this same instance was known; null where none is kept. */
async function keptAddress(config: Config, identity: InstanceIdentity): Promise<string | null> {
  const { self, listen } = (await readFileOf(config, identity))?.residence ?? {};
  return self === undefined || self.address === listen ? null : self.address;
}

/** What the file says, if it is of this instance with this interface. */
async function readFileOf(
  config: Config,
  { instanceId, address: listen }: InstanceIdentity,
): Promise<{ readonly hostedZone: string | null; readonly residence: Residence } | null> {
  try {
    const {
      format,
      hostedZone,
      residence: written,
    } = JSON.parse(await readFile(join(config.dataDir, FILE), 'utf8')) as Kept;
    const residence = { ...written, listen: written.listen ?? written.self.address };
    const same = format === 1 && residence.self.id === instanceId && residence.listen === listen;
    return same ? { hostedZone, residence } : null;
  } catch {
    return null;
  }
}

/** Asks until there is an answer, and says why there is none. `first`: what the first question gave, where it was put already. */
async function untilKnown<T>(
  what: string,
  ask: () => Promise<Known<T>>,
  { log, once }: Asking,
  signal: AbortSignal,
  first: Known<T> | null = null,
): Promise<T> {
  const isNews = createNews();
  for (let answer = first ?? (await ask()); ; answer = await ask()) {
    if (answer.known) return answer.value;
    const { reason } = answer;
    if (once) throw new ApplianceError({ code: 'unavailable', service: 'imds' }, reason);
    if (isNews(reason)) log.warn({ what, reason }, 'does not answer yet');
    await setTimeout(RETRY_MS, undefined, { signal });
  }
}

/** Tells whether a reason is to be said: it is another than the last, or that was said a while ago. */
function createNews(): (reason: string) => boolean {
  let said = { reason: '', at: 0 };
  return (reason) => {
    const at = performance.now();
    if (reason === said.reason && at - said.at < SAID_AGAIN_MS) return false;
    said = { reason, at };
    return true;
  };
}
