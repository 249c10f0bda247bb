import { Resolver } from 'node:dns/promises';
import type { MemberList, MemberStatus } from '../../src/core/members.ts';
import { votersOf } from '../../src/core/members.ts';
import { namesOf } from '../../src/core/names.ts';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { Ec2State } from '../../src/sandbox/model.ts';
import type { Place } from './place.ts';
import type { Watch } from './watch.ts';

/** One instance, asked through its own etcd and its own appliance. */
export interface View {
  readonly instanceId: string;
  /** Where it listens. */
  readonly address: string;
  /** By what it is known: its public address where it has one. */
  readonly advertised: string;
  readonly state: Ec2State;
  readonly status: MemberStatus | null;
  /** As a linearizable read through it gives it; null without an answer. */
  readonly list: MemberList | null;
  /** What its appliance's /readyz answered: null for yes, else why not. */
  readonly notReady: string | null;
}

const calm = new AbortController().signal;

/** Looks at every instance that is not terminated. */
export async function viewAll({ cloud }: Place, admin: EtcdAdmin): Promise<readonly View[]> {
  const instances = cloud.describe().instances.filter(({ state }) => state !== 'terminated');
  return Promise.all(
    instances.map(async ({ instanceId, address, publicAddress, state }) => {
      const [status, list, notReady] = await Promise.all([
        admin.status(clientUrl(address), calm),
        admin.memberList(clientUrl(address), { linearizable: true }, calm),
        whyNotReady(address),
      ]);
      return {
        instanceId,
        address,
        advertised: publicAddress ?? address,
        state,
        status: status.known ? status.value : null,
        list: list.known ? list.value : null,
        notReady,
      };
    }),
  );
}

async function whyNotReady(address: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${address}:2378/readyz`, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    return response.ok ? null : `${response.status} ${text.trim()}`;
  } catch (error) {
    return String(error);
  }
}

/** Which instances that are not terminated are not ready, each with why; empty where all are. */
export async function missingInReadiness({ cloud }: Place): Promise<readonly string[]> {
  const instances = cloud.describe().instances.filter(({ state }) => state !== 'terminated');
  const answers = await Promise.all(
    instances.map(async ({ instanceId, address, state }) => {
      const notReady = state === 'running' ? await whyNotReady(address) : `it is ${state}`;
      return notReady === null ? [] : [`${instanceId} is not ready: ${notReady}`];
    }),
  );
  return answers.flat();
}

/** What keeps these instances from being exactly the voters of one cluster, each serving; empty where they are. */
export function missingInMembers(size: number, views: readonly View[]): readonly string[] {
  const missing: string[] = [];
  const ids = views.map(({ instanceId }) => instanceId).toSorted();
  if (views.length !== size) missing.push(`${views.length} instances instead of ${size}`);
  for (const { instanceId, state, list, notReady } of views) {
    if (state !== 'running') missing.push(`${instanceId} is ${state}`);
    if (notReady !== null) missing.push(`${instanceId} is not ready: ${notReady}`);
    if (list === null) {
      missing.push(`no linearizable read through ${instanceId}`);
      continue;
    }
    const voters = votersOf(list.members).map(({ name }) => name);
    if (list.members.length > voters.length) missing.push(`${instanceId} sees a learner`);
    if (voters.toSorted().join() !== ids.join()) missing.push(`${instanceId} sees voters ${voters.join()}`);
  }
  return missing;
}

/** What keeps claim and names from naming these instances, and nothing else; empty where all is right. */
export async function missingInNames(
  sandbox: Place,
  views: readonly View[],
  watch: Watch,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const expected = views
    .map(({ advertised }) => advertised)
    .toSorted()
    .join(' ');
  const answers = await askNames(sandbox);
  for (const [name, addresses] of Object.entries(answers)) {
    if (addresses.join(' ') !== expected) missing.push(`${name} gives ${addresses.join(' ') || 'nothing'}`);
  }
  const claim = watch.claim();
  const claimed = claim?.voters.map(({ instanceId }) => instanceId).toSorted() ?? [];
  const ids = views.map(({ instanceId }) => instanceId).toSorted();
  if (claim?.state !== 'formed') missing.push(`the claim is ${claim?.state ?? 'not there'}`);
  else if (claimed.join() !== ids.join()) missing.push(`the claim lists ${claimed.join()}`);
  return missing;
}

/** The addresses behind each client and server name, by queries to the sandbox's DNS server. Sorted. */
export async function askNames({ addresses }: Place): Promise<Readonly<Record<string, readonly string[]>>> {
  const { dns, clusterName } = addresses;
  const names = namesOf(clusterName);
  // A resolver of its own for each look: it must not answer from its memory. Patient: the server shares this process.
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  resolver.setServers([`${dns.address}:${dns.port}`]);
  const hosts = (name: string): Promise<readonly string[]> => orNothing(resolver.resolve4(name));
  const services = async (name: string): Promise<readonly string[]> => {
    const targets = await orNothing(resolver.resolveSrv(name));
    return (await Promise.all(targets.map((target) => hosts(target.name)))).flat();
  };
  const answers = await Promise.all([
    ...[names.cluster, names.server].map(async (name) => [name, await hosts(name)] as const),
    ...[names.srvServer, ...names.srvClient].map(async (name) => [name, await services(name)] as const),
  ]);
  return Object.fromEntries(answers.map(([name, values]) => [name, values.toSorted()]));
}

async function orNothing<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    // Refused: a name outside of the zone, as the Python original's SRV records have them.
    if (code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EREFUSED') return [];
    throw error;
  }
}
