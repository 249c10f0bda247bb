import type { Fleet, Instance } from '../core/fleet.ts';
import { isJoinable } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { BUSY_AWS_INTERVAL_MS } from '../core/numbers.ts';
import { clientUrl, hostOf, peerUrl } from '../core/urls.ts';
import type { Obstacle, StartFact, StartObservation } from '../core/start.ts';
import { namedCluster } from '../core/plan-join.ts';
import type { Context } from './context.ts';
import { etcdAtHand } from './etcd-at-hand.ts';
import { noteBirth, noteEtcd } from './met.ts';
import { ownCluster } from './own-cluster.ts';
import { askQuorum } from './quorum.ts';
import type { Wanted } from './quorum.ts';
import { versionToStart } from './start-version.ts';

/** The part of a start's observation that is gathered on demand. */
export type DemandedFacts = Partial<
  Pick<
    StartObservation,
    | 'fleet'
    | 'probes'
    | 'births'
    | 'etcd'
    | 'quorum'
    | 'evidence'
    | 'ownAddress'
    | 'preflight'
    | 'room'
    | 'log'
  >
>;

/** After a crash the data are started anyway where nobody answers: members that hang must not keep the etcd down. */
const QUORUM_AFTER_CRASH_MS = 300;

/** How a tick of a start gathers its facts. */
export interface Gathering {
  /** Data are here: where nobody answers they are started, and AWS need not be asked. */
  readonly hasData: boolean;
  readonly afterCrash: boolean;
}

/** Gathers one fact that a planner asked for. `facts` are those of this tick so far. */
export async function gatherFact(
  context: Context,
  fact: StartFact,
  facts: DemandedFacts,
  how: Gathering,
  signal: AbortSignal,
): Promise<DemandedFacts> {
  const { ports, fleetView } = context;
  switch (fact) {
    case 'fleet':
      return { fleet: await fleetView.fleet(BUSY_AWS_INTERVAL_MS, signal) };
    case 'probes':
      return { probes: await gatherProbes(context, facts.fleet, signal) };
    case 'births':
      return {
        births: await gatherBirths(context, facts.fleet, signal),
        etcd: await etcdAtHand(context, signal),
      };
    case 'quorum':
      return await gatherQuorum(context, facts, how, signal);
    case 'evidence': {
      const voters = context.register.standing()?.voters ?? [];
      const instances = voters.map((it) => ({ id: it.instanceId, region: it.region }));
      return { evidence: await fleetView.evidence(instances, signal) };
    }
    case 'own-address': {
      const probe = await ports.probe.probe(ports.self.address, signal);
      return { ownAddress: probe.kind === 'silent' ? null : { memberId: probe.memberId } };
    }
    case 'preflight':
      return { preflight: await gatherPreflight(context, facts, signal) };
    case 'room':
      return { room: await ports.inspect.disk(signal) };
    case 'log':
      return { log: await ports.inspect.logReplay(signal) };
  }
}

/** The joinable instances of the fleet but the own one, that have an address. */
function others(
  context: Context,
  fleet: Known<Fleet> | undefined,
): readonly (Instance & { readonly address: string })[] {
  if (fleet === undefined || !fleet.known) return [];
  return fleet.value.instances.flatMap((it) =>
    it.id !== context.ports.self.id && isJoinable(it) && it.address !== null
      ? [{ ...it, address: it.address }]
      : [],
  );
}

/**
 * What speaks etcd at any other address of the fleet, joinable or not: a leaving instance may still run the cluster. And what
 * was met there before, where AWS leaves its instance out of this answer.
 */
async function gatherProbes(
  { ports, met }: Context,
  fleet: Known<Fleet> | undefined,
  signal: AbortSignal,
): Promise<NonNullable<StartObservation['probes']>> {
  if (fleet === undefined || !fleet.known) return [];
  const listed = new Set(
    fleet.value.instances.flatMap((it) =>
      it.id !== ports.self.id && it.address !== null ? [it.address] : [],
    ),
  );
  const probes = await Promise.all(
    [...new Set([...listed, ...met.etcds.keys()])].map(async (address) => ({
      address,
      probe: await ports.probe.probe(address, signal),
    })),
  );
  return probes.flatMap(({ address, probe }) => {
    if (probe.kind === 'silent') return [];
    const it = { address, clusterId: probe.clusterId };
    return noteEtcd(met, { ...it, isListed: listed.has(address) }) ? [it] : [];
  });
}

/** What the joinable others hold; and those that held something before, where AWS leaves them out of this answer. */
async function gatherBirths(
  context: Context,
  fleet: Known<Fleet> | undefined,
  signal: AbortSignal,
): Promise<NonNullable<StartObservation['births']>> {
  const { ports, met } = context;
  if (fleet === undefined || !fleet.known) return new Map();
  const hint = { epoch: 0, from: ports.self.id };
  const listed = new Set(fleet.value.instances.map(({ id }) => id));
  const unlisted = [...met.holders].flatMap(([id, address]) => (listed.has(id) ? [] : [{ id, address }]));
  const answers = await Promise.all(
    [...others(context, fleet), ...unlisted].map(async (it) => {
      const answer = await ports.peers.askBirth(it.address, hint, signal);
      noteBirth(met, it, answer, ports.self.stack);
      return [it.id, answer] as const;
    }),
  );
  return new Map(answers);
}

/** Asks the claim's cluster, or without a formed claim any, at every address that is known to matter. */
async function gatherQuorum(
  context: Context,
  facts: DemandedFacts,
  how: Gathering,
  signal: AbortSignal,
): Promise<DemandedFacts> {
  const { ports, fleetView } = context;
  const claim = context.register.standing();
  const claimed = [...(claim?.voters ?? []), ...(claim?.founders ?? [])].map((it) => it.address);
  const named = facts.births === undefined ? null : namedCluster(facts.births, ports.self.stack);
  const wanted = {
    clusterId: claim?.state === 'formed' ? claim.clusterId : (named?.clusterId ?? null),
    // Without a claim other clusters may answer in the fleet: data are judged by their own.
    preferred: claim === null && how.hasData ? await ownCluster(context, signal) : formingClusterId(context),
    // Who asked for the fleet first does not mean to start whatever comes of it.
    limitMs: how.hasData && how.afterCrash && facts.fleet === undefined ? QUORUM_AFTER_CRASH_MS : null,
  };
  const ask = async (addresses: readonly string[]): Promise<NonNullable<StartObservation['quorum']>> => {
    const unique = [...new Set(addresses)].filter((it) => it !== ports.self.address);
    return await askQuorum(ports, unique.map(clientUrl), wanted, signal);
  };
  const inFleet = (fleet: Known<Fleet> | undefined): readonly string[] =>
    others(context, fleet).map((it) => it.address);
  const heard = await ask([...claimed, ...inFleet(facts.fleet)]);
  const quorum = isOfNobodyHere(heard, wanted, facts.fleet)
    ? await ask(inFleet(facts.fleet))
    : refusedHere(heard, facts.fleet);
  // Data are started where nobody answers: no call to AWS may keep a crashed etcd down.
  if (quorum.kind === 'answers' || facts.fleet !== undefined || how.hasData) return { quorum };
  // None that the claim names answers: the fleet may know addresses that the claim could not be told (section 6).
  const fleet = await fleetView.fleet(BUSY_AWS_INTERVAL_MS, signal);
  return { fleet, quorum: refusedHere(await ask([...claimed, ...inFleet(fleet)]), fleet) };
}

/**
 * Whether a cluster that nobody asked for answers where no instance of the fleet is: EC2 gives the address of a founder who is
 * gone to the next instance that is launched, and that may be of another stack's cluster. Adopted, it would be joined.
 */
function isOfNobodyHere(
  quorum: NonNullable<StartObservation['quorum']>,
  { clusterId, preferred }: Pick<Wanted, 'clusterId' | 'preferred'>,
  fleet: Known<Fleet> | undefined,
): boolean {
  if (quorum.kind === 'nobody' || clusterId !== null || quorum.list.clusterId === preferred) return false;
  const address = hostOf(quorum.endpoint);
  return fleet?.known === true && fleet.value.instances.every((it) => it.address !== address);
}

/** Without the refusals from where no instance of the fleet is: whose they are is not said, and EC2 gives addresses again. */
function refusedHere(
  quorum: NonNullable<StartObservation['quorum']>,
  fleet: Known<Fleet> | undefined,
): NonNullable<StartObservation['quorum']> {
  if (quorum.kind === 'answers' || fleet?.known !== true) return quorum;
  const addresses = fleet.value.instances.map((it) => it.address);
  return { ...quorum, refused: quorum.refused.filter((it) => addresses.includes(hostOf(it.endpoint))) };
}

/** The cluster id that a forming claim's token and founders give. */
export function formingClusterId(context: Context): string | null {
  const claim = context.register.standing();
  if (claim?.state !== 'forming') return null;
  return context.ports.ids.clusterId(
    claim.founders.map((it) => peerUrl(it.address)),
    claim.token,
  );
}

/** What keeps etcd from starting here; null: nothing. */
async function gatherPreflight(
  context: Context,
  facts: DemandedFacts,
  signal: AbortSignal,
): Promise<Obstacle | null> {
  const starting = { quorum: facts.quorum, claim: context.register.standing() };
  const version = await versionToStart(context, starting, signal);
  if (version.kind === 'missing')
    return { kind: version.downgrade === true ? 'downgrade' : 'other', why: version.why };
  return await context.ports.process.preflight(version.version, context.ports.self.address, signal);
}
