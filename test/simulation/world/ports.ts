import type { Claim } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import type { Self } from '../../../src/core/fleet.ts';
import { desiredSize } from '../../../src/core/fleet.ts';
import { hostName, namesOf } from '../../../src/core/names.ts';
import { isOutOfSpace, type MemberStatus } from '../../../src/core/members.ts';
import type { RecordChange } from '../../../src/core/records.ts';
import { UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import { clientUrl, hostOf } from '../../../src/core/urls.ts';
import type {
  AdminPort,
  FirewallPort,
  FleetPort,
  HooksPort,
  PeersPort,
  Log,
  Meter,
  Ports,
  ProbePort,
  ZonePort,
} from '../../../src/daemon/ports.ts';
import { PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import { ApplianceError, hasCode } from '../../../src/errors.ts';
import { etcdIds } from '../../../src/etcd/ids.ts';
import { isReadable } from '../../fakes/etcd/files.ts';
import { createWeatheredFleet, type Weather } from '../../fakes/aws-weather.ts';
import { createFakeData, type FakeDisk } from '../../fakes/fake-data.ts';
import { createFakePeers, type PeerAt } from '../../fakes/fake-peers.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import { createWire, type Latency, type Wire } from '../../fakes/wire.ts';
import { etcdPorts, lockHolderAt, lockHolderIn, memberNamed, memberOnDisk, votesAt } from './cluster.ts';
import { rememberedIds } from './ids.ts';
import { lostByAws, lostQuestion, overNetwork } from './links.ts';
import type { AsideData } from './happening.ts';
import { type Machine, runOf } from './machine.ts';
import { CLUSTER, STACK } from './names.ts';
import { FENCED_KEYS, inspectOf, stepsBefore, upgradeLockOf } from './upgrade.ts';
import { alive, type World } from './world.ts';

const CLAIM_NAME = namesOf(CLUSTER).claim;

const LATENCY = {
  disk: [1, 5],
  local: [1, 4],
  ec2: [20, 200],
  zone: [30, 200],
} as const satisfies Readonly<Record<string, Latency>>;

/** AWS's SDK gives up after three tries of 5 s; ms. */
const AWS_DEADLINE_MS = 15_000;
const HTTP_DEADLINE_MS = 2_000;
const METADATA_DEADLINE_MS = 1_000;

/** All that one appliance has of the world. */
export function portsOf(world: World, machine: Machine): Ports {
  const { clock, network, aws, zone } = world;
  const random = machine.random.fork();
  const wire = createWire(clock, machine.random.fork());
  const self: Self = {
    id: machine.id,
    region: machine.region,
    zone: machine.zone,
    address: machine.address,
    stack: STACK,
  };
  const toAws = { network, clock, from: machine.address, traffic: 'aws', to: () => 'aws' } as const;
  const awsLink = { ...toAws, deadlineMs: AWS_DEADLINE_MS, lost: lostByAws };
  const weather = (): Weather => world.weather.get(machine.id) ?? world.weather.get('*') ?? 'fair';
  const fleet = createWeatheredFleet(machine.id, aws.port(machine.id), {
    random: random.fork(),
    clock,
    weather,
  });
  // A process of its own: it has met nobody.
  machine.met.clear();
  const { groups, open, close } = world.firewall;
  const firewall: FirewallPort = { groups, open, close };
  return {
    clock: machine.clock,
    random,
    log: logOf(world, machine),
    meter: SILENT_METER,
    self,
    metadata: overNetwork(wire.port(LATENCY.local, machine.metadata), {
      ...toAws,
      traffic: 'imds',
      to: () => 'imds',
      deadlineMs: METADATA_DEADLINE_MS,
      lost: lostQuestion,
    }),
    fleet: heardFleet(world, machine, overNetwork(wire.port(LATENCY.ec2, fleet), awsLink)),
    firewall: overNetwork(wire.port(LATENCY.ec2, firewall), awsLink),
    hooks: overNetwork(wire.port(LATENCY.ec2, hooksOf(world, machine)), awsLink),
    zone: heardZone(world, machine, overNetwork(wire.port(LATENCY.zone, zone.port(CLUSTER)), awsLink)),
    ...heardEtcd(world, machine, etcdPorts(world, machine, wire)),
    data: wire.port(LATENCY.disk, dataOf(world, machine)),
    inspect: inspectPort(world, machine, wire),
    ids: rememberedIds(etcdIds),
    peers: heardPeers(
      machine,
      overNetwork(
        createFakePeers((address) => applianceAt(world, address), { clock, random: random.fork() }),
        {
          network,
          clock,
          from: machine.address,
          traffic: 'http',
          to: (args) => String(args[0]),
          deadlineMs: HTTP_DEADLINE_MS,
          lost: lostQuestion,
        },
      ),
    ),
  };
}

/** Notes whose word this appliance had of formed data. */
function heardPeers({ met }: Machine, port: PeersPort): PeersPort {
  return {
    ...port,
    async askBirth(address, hint, signal) {
      const answer = await port.askBirth(address, hint, signal);
      if (answer.known && answer.value.data?.formed === true) met.add(address);
      return answer;
    },
  };
}

/** A machine's data as an appliance looks through them: some have a log that takes a second or two to be read. */
function inspectPort(world: World, machine: Machine, wire: Wire): Ports['inspect'] {
  const inspect = inspectOf(machine);
  const number = Number.parseInt(machine.id.replaceAll(/\D/g, ''), 10);
  // A stream of its own: what it draws changes nothing else in a history.
  const random = createSeededRandom(world.plot.seed ^ Math.imul(number, 0xc2b2_ae35));
  if (!random.chance(0.4)) return wire.port(LATENCY.disk, inspect);
  // Who asks an appliance waits for two seconds, and begins anew where the answer was kept for long enough.
  const ms = random.int(500, 1_700);
  const slow = createWire(world.clock, random).port([ms, ms], inspect);
  return { ...wire.port(LATENCY.disk, inspect), v2Content: slow.v2Content };
}

/** What listens on the appliance's port there. A frozen process takes connections, and answers when it thaws. */
function applianceAt(world: World, address: string): PeerAt | null {
  const process = alive(world).find((it) => it.address === address)?.process ?? null;
  if (process === null) return null;
  return {
    birth: async (hint, signal) => {
      await new Promise<void>((resolve) => process.life.deliver(resolve));
      return await process.appliance.birth({ from: null, ...hint }, signal);
    },
    upgrade: async (fresh, signal) => {
      await new Promise<void>((resolve) => process.life.deliver(resolve));
      return await process.appliance.upgrade(fresh, signal);
    },
  };
}

/** Hooks whose heartbeats count. */
function hooksOf(world: World, machine: Machine): HooksPort {
  const { hooks } = machine;
  return {
    complete: hooks.complete,
    async heartbeat(which, signal) {
      const answer = await hooks.heartbeat(which, signal);
      if (answer.known && answer.value === 'done') machine.heartbeatAt = world.clock.now();
      return answer;
    },
  };
}

/**
 * A disk that may be full: then nothing is written, and nothing lost. What was about to be written as the power went is written
 * nowhere: another disk may be there by then.
 */
function dataOf(world: World, machine: Machine): Ports['data'] {
  const data = createFakeData(machine.disk, world.clock.wallTime);
  const isOn = runOf(machine);
  const act =
    <Args extends readonly unknown[]>(does: (...args: Args) => Promise<void>) =>
    async (...args: Args): Promise<void> =>
      await (isOn() ? does(...args) : new Promise<never>(() => undefined));
  const write = <Args extends readonly unknown[]>(does: (...args: Args) => Promise<void>) =>
    act(async (...args: Args): Promise<void> => {
      if (machine.diskFull)
        throw new ApplianceError({ code: 'cannot-write', path: '/data' }, 'cannot write to /data: ENOSPC');
      await does(...args);
    });
  return {
    read: data.read,
    writeIdentity: write(data.writeIdentity),
    writeMark: write(data.writeMark),
    setAside: act(data.setAside),
    discard: act(async (directory, signal) => {
      tellDiscard(world, machine, directory);
      await data.discard(directory, signal);
      if (directory === machine.fullOf) Object.assign(machine, { diskFull: false, fullOf: null });
    }),
  };
}

/** Data, set aside or in use, as whoever sees the disk has them. */
function asideData({ etcd, identity }: Pick<FakeDisk, 'etcd' | 'identity'>): AsideData {
  return {
    of: etcd === null ? '' : `${etcd.clusterId}/${etcd.memberId}`,
    readable: etcd !== null && isReadable(etcd),
    voter: identity?.voter !== false,
  };
}

/** Tells of data that are deleted for ever. */
function tellDiscard(world: World, { id, disk, diskFull, shortAt }: Machine, directory: string): void {
  const at = disk.aside.findIndex((it) => it.directory === directory);
  const gone = disk.aside[at];
  if (gone === undefined) return;
  const [older, newer] = [disk.aside.slice(0, at), disk.aside.slice(at + 1)].map((part) =>
    part.map(asideData),
  );
  const shortMs = diskFull ? 0 : world.clock.now() - shortAt;
  world.tell({
    kind: 'discarded',
    id,
    gone: asideData(gone),
    older: older ?? [],
    newer: newer ?? [],
    used: disk.etcd === null ? null : asideData(disk),
    shortMs,
  });
}

/** Tells what AWS answered this appliance: what it does rests on that. */
function heardFleet(world: World, machine: Machine, port: FleetPort): FleetPort {
  return {
    async observe(signal) {
      const askedAtMs = world.clock.now();
      const answer = await port.observe(signal);
      const instances = answer.known ? answer.value.instances.map((it) => it.id) : null;
      const desired = answer.known ? desiredSize(answer.value) : null;
      world.tell({ kind: 'fleet-answer', to: machine.id, askedAtMs, instances, desired });
      return answer;
    },
    async evidence(instances, signal) {
      const answer = await port.evidence(instances, signal);
      const words = answer.known ? Object.fromEntries(answer.value) : null;
      world.tell({ kind: 'evidence-answer', to: machine.id, words });
      return answer;
    },
  };
}

/** Tells of the batches that this appliance sends, at the moment when it does. */
function heardZone(world: World, machine: Machine, port: ZonePort): ZonePort {
  return {
    ...port,
    async change(changes, signal) {
      world.tell({
        kind: 'batch-sent',
        by: machine.id,
        forms:
          claimOf(changes, 'CREATE')?.state === 'formed' && claimOf(changes, 'DELETE')?.state !== 'formed',
        names: changes.some(({ record }) => record.type !== 'TXT'),
        takes: takenBy(changes),
        claim: claimOf(changes, 'CREATE'),
        lockHolder: housekeeperAt(world, machine, machine.address),
        stepHolder: upgradeLockOf(world, machine),
        step: upgradeLockOf(world, machine) === machine.id && namesOnly(machine, changes),
      });
      return await port.change(changes, signal);
    },
  };
}

/** Room may be made within the turn of who keeps house without a lock, and AWS takes its time in one; ms. */
const LOOK_COUNTS_MS = 30_000;

/** From a look that finds the lock free, to the act that it allows; ms. */
const FREE_COUNTS_MS = 2_000;

/** Who holds the lock in the cluster of the etcd at this address, or, where that grants none for want of space, who leads. */
function housekeeperAt(world: World, machine: Machine, address: string): string | null {
  const { id, ledFullAt, disk } = machine;
  const now = world.clock.now();
  // Its etcd may have died after it was asked: the lock is in the cluster all the same.
  const own = address === machine.address ? (disk.etcd?.clusterId ?? null) : null;
  const holder = lockHolderAt(world, address) ?? lockHolderIn(world, own);
  const wasFree = holder === null || now - world.lockAskedAt <= FREE_COUNTS_MS;
  return wasFree && now - ledFullAt <= LOOK_COUNTS_MS ? id : holder;
}

/** Whether a batch takes nothing but this machine itself out of the names, or puts it there. */
function namesOnly({ id, address }: Machine, changes: readonly RecordChange[]): boolean {
  const valuesOf = (wanted: RecordChange['action']): readonly string[] =>
    changes.flatMap(({ action, record: { name, type, values } }) =>
      action === wanted ? values.map((it) => `${name} ${type} ${it}`) : [],
    );
  const [before, after] = [valuesOf('DELETE'), valuesOf('CREATE')];
  const differs = [
    ...before.filter((it) => !after.includes(it)),
    ...after.filter((it) => !before.includes(it)),
  ];
  const own = ` ${hostName(CLUSTER, id)}`;
  return differs.every((it) => it.endsWith(` ${address}`) || it.endsWith(own));
}

/** The claim that a batch makes, or takes the place of; null: there is none. */
function claimOf(changes: readonly RecordChange[], wanted: RecordChange['action']): Claim | null {
  const records = changes.flatMap(({ action, record }) => (action === wanted ? [record] : []));
  const reading = readClaim(CLAIM_NAME, records);
  return reading.kind === 'claim' ? reading.claim : null;
}

/** What a batch takes out of the names: values of A and SRV records that it deletes and does not make again. */
function takenBy(changes: readonly RecordChange[]): readonly string[] {
  const valuesOf = (wanted: RecordChange['action']): readonly string[] =>
    changes.flatMap(({ action, record: { name, type, values } }) =>
      action === wanted && type !== 'TXT' ? values.map((it) => `${name} ${type} ${it}`) : [],
    );
  const made = new Set(valuesOf('CREATE'));
  return valuesOf('DELETE').filter((it) => !made.has(it));
}

type EtcdPorts = Pick<Ports, 'admin' | 'probe' | 'process'>;

/** Tells of what this appliance does to members and to its etcd, at the moment when it does it. */
function heardEtcd(world: World, machine: Machine, ports: EtcdPorts): EtcdPorts {
  const own = clientUrl(machine.address);
  let ownWord: { readonly atMs: number; readonly applied: number } | null = null;
  let leaderIndex: number | null = null;
  const admin: AdminPort = {
    ...ports.admin,
    status: (endpoint, signal) =>
      ports.admin.status(endpoint, signal).then((status) => {
        if (endpoint === own && status.known && isOutOfSpace(status.value) && leads(status.value))
          machine.ledFullAt = world.clock.now();
        if (endpoint === own)
          ownWord = status.known ? { atMs: world.clock.now(), applied: status.value.raftAppliedIndex } : null;
        if (status.known && leads(status.value)) leaderIndex = status.value.raftIndex;
        return status;
      }),
    async promote(endpoint, memberId, signal) {
      world.tell({
        kind: 'promotion-sent',
        by: machine.id,
        memberId,
        ownWordMs: ownWord === null ? null : world.clock.now() - ownWord.atMs,
        noted: machine.disk.identity?.voter === true,
        behind: ownWord === null || leaderIndex === null ? null : leaderIndex - ownWord.applied,
      });
      return await ports.admin.promote(endpoint, memberId, signal);
    },
    async removeMember(endpoint, memberId, signal) {
      const at = hostOf(endpoint);
      world.tell({
        kind: 'removal-sent',
        by: machine.id,
        member: memberNamed(world, at, memberId),
        hasData: memberOnDisk(machine)?.memberId === memberId,
        lockHolder: housekeeperAt(world, machine, at),
        stepHolder: upgradeLockOf(world, machine),
        ...votesAt(world, at, memberId),
      });
      return await ports.admin.removeMember(endpoint, memberId, signal);
    },
    async createKey(endpoint, key, value, leaseId, signal) {
      // It is there before whoever asked for it hears so.
      if (key === LOCK_KEY) world.lockAskedAt = world.clock.now();
      const made = await ports.admin.createKey(endpoint, key, value, leaseId, signal);
      if (key === UPGRADE_LOCK_KEY && made.known && made.value !== null)
        world.tell({ kind: 'step-lock', id: machine.id });
      return made;
    },
    async put(endpoint, key, value, how, signal) {
      const isStep = FENCED_KEYS.includes(key);
      const holder = (): string | null =>
        key === PUBLISHED_KEY
          ? lockHolderAt(world, hostOf(endpoint))
          : isStep
            ? upgradeLockOf(world, machine)
            : machine.id;
      const before = holder();
      const put = await ports.admin.put(endpoint, key, value, how, signal);
      const after = holder();
      // Who held the lock at no end of its write cannot have had a fence that held; an etcd that only starts shows no holder.
      if (before !== machine.id && after !== machine.id && put.known && put.value)
        world.tell({ kind: 'fence-passed', by: machine.id, holder: after });
      if (key === UPGRADE_KEYS.step && value !== '' && put.known && put.value) {
        world.tell({ kind: 'step-began', id: machine.id, ...stepsBefore(world, machine) });
        for (const it of world.onStep) it(machine);
      }
      return put;
    },
  };
  const probe: ProbePort = {
    async probe(address, signal) {
      const heard = await ports.probe.probe(address, signal);
      if (heard.kind === 'answers' && heard.clusterId !== null) machine.met.add(address);
      return heard;
    },
  };
  return { ...ports, admin, probe };
}

function leads({ leader, memberId }: MemberStatus): boolean {
  return leader === memberId;
}

function logOf(world: World, machine: Machine): Log {
  const say = (fields: object, message: string): void => {
    const { planner, what, reason, sentence } = fields as Readonly<Record<string, string | undefined>>;
    if (planner !== undefined && reason !== undefined) world.reasons.add(`${planner}:${reason}`);
    world.note(machine.id, `${message} ${planner ?? what ?? ''} [${reason ?? ''}] ${sentence ?? ''}`);
  };
  return {
    debug: () => undefined,
    info: say,
    warn: say,
    error: (fields, message) => {
      const { error } = fields as { readonly error?: unknown };
      const text = error instanceof Error ? traceOf(error) : String(error);
      world.note(machine.id, `${message}: ${text}`);
      // A full disk is weather, though no value says it: the loop goes on when there is room.
      if (hasCode(error, 'cannot-write')) return;
      world.tell({ kind: 'threw', id: machine.id, what: `${message}: ${text}` });
    },
  };
}

/** The error with its way through the appliance; the simulator's own frames differ from one player to the other. */
function traceOf(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((it) => /^ +at .*\/src\//.test(it));
  return [`${error.name}: ${error.message}`, ...frames.map((it) => it.replace(/\S*\/src\//, 'src/'))].join(
    '\n',
  );
}

const SILENT_METER: Meter = {
  planned: () => undefined,
  acted: () => undefined,
  restarted: () => undefined,
  evicted: () => undefined,
  dnsWritten: () => undefined,
  ticked: () => undefined,
};
