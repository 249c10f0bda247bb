import { whyNotReady } from './app-standing.ts';
import { standingOf } from './core/upgrade-standing.ts';
import type { Appliance } from './daemon/appliance.ts';
import type { Check, Face, MemberRow, MembersView, StatusView, UpgradePlanView } from './http/face.ts';
import type { Metrics, StateSample } from './http/metrics.ts';

/** What the face is made of. */
export interface FaceParts {
  readonly appliance: Appliance;
  readonly metrics: Metrics;
  readonly version: string;
  readonly cluster: string;
}

/** A loop that has not turned for this long is stuck: the longest wait of any, a start on a slow disk, is shorter. */
const STUCK_MS = 90_000;

/** Three of the looks of an appliance that nobody watches. */
const LOOK_OLD_MS = 90_000;

/** A fleet is old that has missed two looks at AWS; this much is for publishing it, and for reading that. */
const FLEET_SLACK_MS = 60_000;

/** Joins what the appliance knows into what its HTTP server shows. Everything is in memory; nothing is asked. */
export function createFace(parts: FaceParts): Face {
  const { appliance, metrics } = parts;
  const never = new AbortController().signal;
  return {
    birth: async (hint) => await appliance.birth(hint, never),
    upgrade: async (fresh) => {
      const answer = await appliance.upgrade(fresh, never);
      return { ...answer, ...planOf(appliance) };
    },
    members: () => {
      appliance.watch();
      return members(appliance);
    },
    status: () => {
      appliance.watch();
      return status(parts);
    },
    health: () => health(appliance),
    ready: () => ready(appliance),
    metrics: async () => {
      sample(appliance, metrics);
      return await metrics.page();
    },
  };
}

function planOf({ state }: Appliance): UpgradePlanView {
  const { upgrade } = state;
  return {
    plan: upgrade?.action.reason ?? null,
    checks: upgrade?.checks ?? [],
    waiting: upgrade?.waiting ?? [],
  };
}

/** How the upgrade stands; null: there is none, or this member has no say yet. */
function upgradeOf({ state }: Appliance): StateSample['upgrade'] {
  if (state.upgrade === null) return null;
  const { action } = state.upgrade;
  const standing = standingOf(action);
  if (standing === 'none') return null;
  return { code: action.reason.code, moves: standing === 'moves' };
}

/** Whether it is too long ago that anybody looked at the members to say how they are now. */
function isLookOld({ state, context }: Appliance): boolean {
  return state.looked === null || context.ports.clock.now() - state.looked.at > LOOK_OLD_MS;
}

/** What of members and fleet could not be had, or not for long, and why. */
function unknownOf(appliance: Appliance): readonly string[] {
  const { list, fleet, members, looked, fleetSeen } = appliance.state;
  const { fleetView, options, ports } = appliance.context;
  const clauses: string[] = [];
  if (!list.known) clauses.push(`the members: ${list.reason}`);
  if (members.length > 0 && isLookOld(appliance))
    clauses.push(`the members since ${looked?.wallTime}: nobody has looked at them`);
  if (!fleet.known) clauses.push(`the fleet: ${fleet.reason}`);
  const oldMs = 2 * options.housekeepingIntervalMs + FLEET_SLACK_MS;
  if (fleetSeen !== null && ports.clock.now() - fleetSeen.at > oldMs) {
    const latest = fleetView.latest();
    const asked = fleetView.blindForMs() > 0 && !latest.known;
    clauses.push(`the fleet since ${fleetSeen.wallTime}: ${asked ? latest.reason : 'nobody has asked AWS'}`);
  }
  return clauses;
}

function members(appliance: Appliance): MembersView {
  const { state } = appliance;
  const isOld = isLookOld(appliance);
  const instances = state.fleet.known ? state.fleet.value.instances : [];
  const leader = state.ownStatus.known ? state.ownStatus.value.leader : null;
  const listed = state.members.map((member): MemberRow => {
    const instance = instances.find((it) => it.id === member.name || it.address === member.address);
    const status =
      member.status.known && member.status.value.memberId === member.id ? member.status.value : null;
    return {
      instanceId: member.name !== '' ? member.name : (instance?.id ?? null),
      memberId: member.id,
      role: member.learner ? 'learner' : member.id === leader ? 'leader' : 'voter',
      health: isOld ? 'unknown' : member.unhealthy === null ? 'healthy' : 'unhealthy',
      region: instance?.region ?? null,
      zone: instance?.zone ?? null,
      address: member.address,
      lifecycle: instance?.lifecycle ?? null,
      state: instance?.state ?? null,
      raftIndex: status?.raftAppliedIndex ?? null,
      version: status?.version ?? null,
      dbSizeBytes: status?.dbSizeBytes ?? null,
    };
  });
  const known = new Set(listed.map((it) => it.instanceId));
  const rest = instances
    .filter((it) => !known.has(it.id))
    .map((it): MemberRow => ({
      instanceId: it.id,
      memberId: null,
      role: 'none',
      health: 'unknown',
      region: it.region,
      zone: it.zone,
      address: it.address,
      lifecycle: it.lifecycle,
      state: it.state,
      raftIndex: null,
      version: null,
      dbSizeBytes: null,
    }));
  return {
    observedAt: state.looked?.wallTime ?? null,
    fleetObservedAt: state.fleetSeen?.wallTime ?? null,
    clusterId: state.list.known ? state.list.value.clusterId : null,
    members: [...listed, ...rest],
    unknown: unknownOf(appliance),
  };
}

function status({ appliance, version, cluster }: FaceParts): StatusView {
  const { state, context } = appliance;
  const { self } = context.ports;
  const claim = claimOf(appliance);
  return {
    version,
    instanceId: self.id,
    region: self.region,
    zone: self.zone,
    address: self.address,
    cluster,
    phase: phase(appliance),
    claim,
    observedAt: state.looked?.wallTime ?? null,
    observation: {
      identity: state.identity,
      etcd: state.etcd === null ? null : { pid: state.etcd.pid, version: state.etcd.version },
      lastExit: state.lastExit,
      ownStatus: state.ownStatus,
      members: state.members,
      fleet: state.fleet,
      fleetObservedAt: state.fleetSeen?.wallTime ?? null,
      publishedBy: state.publishedBy,
      publishedAt: state.publishedAt,
      keepsHouse: state.keepsHouse,
    },
    plan: [...state.plans.values()].flat(),
    upgrade: upgradeOf(appliance) === null ? null : planOf(appliance),
    events: state.events.map((it) => ({
      at: it.at,
      level: it.level,
      component: it.what,
      message: it.sentence,
      fields: { reason: it.code },
    })),
  };
}

/** The claim as this appliance last read it, or, where another keeps house and reads it, as that one published it. */
function claimOf({ state, context }: Appliance): StatusView['claim'] {
  if (state.publishedEpoch !== null) return { state: 'formed', epoch: state.publishedEpoch };
  const reading = context.register.claim();
  if (!reading.known || reading.value.kind !== 'claim') return null;
  return { state: reading.value.claim.state, epoch: reading.value.claim.epoch };
}

function phase(appliance: Appliance): string {
  const { state } = appliance;
  switch (state.phase) {
    case 'starting':
      return `starting: ${state.plans.get('start')?.[0]?.sentence ?? 'looks around'}`;
    case 'running':
      return state.notReady === null ? 'running: the member serves' : `running, not ready: ${state.notReady}`;
    case 'leaving':
      return `leaving: ${state.plans.get('leave')?.[0]?.sentence ?? 'in order'}`;
    case 'stopped':
      return 'stopped';
  }
}

/** The appliance's own loops. Its etcd's liveness is the member loop's business: it restarts what does not answer. */
function health({ state, context }: Appliance): Check {
  const now = context.ports.clock.now();
  const turn = (loop: string): number => state.turns.get(loop) ?? Number.NEGATIVE_INFINITY;
  // One life does both in turn: while it does one, the other's last turn gets old.
  const life = Math.max(turn('start'), turn('member'));
  // That life is over once the member has left, and its hook may be waited for long after.
  const hasLeft = state.phase === 'leaving' && state.etcd === null;
  const loops: readonly (readonly [string, number])[] = [
    ['housekeeping', turn('housekeeping')],
    hasLeft ? ['leave', turn('leave')] : [state.etcd === null ? 'start' : 'member', life],
  ];
  const stuck = loops.filter(([, at]) => Number.isFinite(at) && now - at > STUCK_MS).map(([name]) => name);
  return stuck.length === 0
    ? { ok: true, reason: 'the loops turn' }
    : { ok: false, reason: `no turn for ${STUCK_MS / 1000} s: ${stuck.join(', ')}` };
}

function ready({ state }: Appliance): Check {
  const why = whyNotReady(state);
  return why === null
    ? { ok: true, reason: 'a voter of a formed cluster that answers linearizably' }
    : { ok: false, reason: why };
}

function sample(appliance: Appliance, metrics: Metrics): void {
  const { state, context } = appliance;
  const reading = context.register.claim();
  const looks = isLookOld(appliance) ? [] : state.members;
  metrics.sampled({
    ready: whyNotReady(state) === null,
    leader: state.ownStatus.known && state.ownStatus.value.leader === state.ownStatus.value.memberId,
    // One that stands and cannot be read is not none.
    claim: claimOf(appliance)?.state ?? (reading.known && reading.value.kind === 'none' ? 'none' : null),
    members: new Map(looks.map((it) => [it.name || it.id, it.unhealthy === null])),
    etcdVersion: state.ownStatus.known ? state.ownStatus.value.version : null,
    upgrade: upgradeOf(appliance),
  });
}
