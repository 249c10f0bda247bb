import type { Claim } from '../core/claim.ts';
import type { DataIdentity } from '../core/local-data.ts';
import type { MemberList, MemberVersions } from '../core/members.ts';
import { whyNotJoinedAs } from '../core/join-version.ts';
import { isStarted } from '../core/members.ts';
import { FAR_TIMING } from '../core/numbers.ts';
import { reason } from '../core/reason.ts';
import type { StartAction, StartObservation } from '../core/start.ts';
import { peerUrl } from '../core/urls.ts';
import { minorOf, pickBinary } from '../core/versions.ts';
import type { Context } from './context.ts';
import type { AdminRefusal, EtcdStart } from './ports.ts';
import { keepIdentity } from './keep-identity.ts';
import { askVersions, versionToStart } from './start-version.ts';
import { settledMembers } from './settle-members.ts';
import type { ActionOf, StepResult } from './start-step.ts';
import { noteEnd } from './swap-etcd.ts';
import { strangersCluster } from './own-cluster.ts';
import { soon, standsForMs } from './start-step.ts';

/** Starts etcd on the data that are here, with the binary of their own version. */
export async function startData(
  context: Context,
  action: ActionOf<'start-data'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { identity } = seen.local;
  const joiner = neverBegan(context, seen);
  if (joiner === 'unheard') {
    const why =
      'etcd ended before it began, since a member came or went: waits for a member to say who they are now';
    context.chronicle.trouble('join', reason('members-unheard', why));
    return soon(context, standsForMs(action, seen));
  }
  if (joiner !== null) {
    await context.ports.data.setAside('never-began', signal);
    return await startJoiner(context, action, joiner, signal);
  }
  const { swap } = context.state;
  return await run(
    context,
    action,
    swap?.version ?? identity?.version ?? null,
    async (version) => {
      const step = (swap === null ? identity?.step : swap.step) ?? null;
      const now = { version, step, snapshotCount: swap?.snapshotCount ?? null };
      // Before it runs: whoever finds its data knows what runs on them, and whether that may be taken back.
      if (identity !== null && !isKept(identity, now))
        await keepIdentity(context, { ...identity, ...now }, signal);
      return null;
    },
    signal,
  );
}

function isKept(
  identity: DataIdentity,
  { version, step, snapshotCount }: Required<Pick<DataIdentity, 'version' | 'step' | 'snapshotCount'>>,
): boolean {
  const isStep = JSON.stringify(identity.step ?? null) === JSON.stringify(step);
  return identity.version === version && isStep && (identity.snapshotCount ?? null) === snapshotCount;
}

interface Joiner {
  readonly identity: DataIdentity;
  readonly memberId: string;
  readonly list: MemberList;
}

/**
 * This instance's etcd was to join, and ended before it began, since a member came or went meanwhile; what it left holds
 * nothing. Null where it is not so, or not known: a learner that has never started, and that ended just so. `unheard`: no quorum
 * answers just now, and without its members there is nothing to start etcd on: it would take what is left for damaged.
 */
function neverBegan(context: Context, seen: StartObservation): Joiner | 'unheard' | null {
  const { identity } = seen.local;
  const { quorum } = seen;
  if (context.state.lastExit?.saysOtherMembers !== true) return null;
  if (identity === null || identity.voter || identity.memberId === null) return null;
  if (quorum?.kind !== 'answers') return 'unheard';
  const { memberId } = identity;
  const own = quorum.list.members.find(({ id }) => id === memberId);
  return own?.learner === true && !isStarted(own) ? { identity, memberId, list: quorum.list } : null;
}

/** Starts the etcd of a learner that was added and has never begun, with the members as they are now. */
async function startJoiner(
  context: Context,
  action: StartAction,
  { identity, memberId, list }: Joiner,
  signal: AbortSignal,
): Promise<StepResult> {
  context.state.joining = true;
  return await run(
    context,
    action,
    identity.version,
    async (version) => {
      await keepIdentity(context, { ...identity, version }, signal);
      const now = await settledMembers(context, list, memberId, signal);
      if (now === null) return 'not-now';
      // That may have taken half a minute: what is true when etcd starts is asked after it.
      const why = whyNotJoinedAs(version, await hearVersions(context, now, signal));
      if (why !== null) {
        context.chronicle.trouble('join', reason('version-moved', why));
        return 'not-now';
      }
      const cluster = initialCluster(now, memberId, context.ports.self.id);
      return { state: 'existing', cluster, token: identity.token };
    },
    signal,
  );
}

/** How often nobody may tell a version before the member that was added is given up, and how long after the last time; ms. */
const VERSION_LOOKS = 10;
const UNHEARD_WAIT_MS = 500;

/** What the members tell of versions, asked again while none does: to be added once more takes far longer than a lost answer. */
async function hearVersions(
  context: Context,
  list: MemberList,
  signal: AbortSignal,
): Promise<readonly MemberVersions[]> {
  for (let look = 1; ; look += 1) {
    const told = await askVersions(context, list, signal);
    if (told.length > 0 || look === VERSION_LOOKS || context.state.phase === 'leaving') return told;
    await context.ports.clock.sleep(UNHEARD_WAIT_MS, signal);
  }
}

/** Starts a founding member, in time or late: identity first, then the mark, both flushed, then etcd. */
export async function found(
  context: Context,
  action: ActionOf<'found'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports } = context;
  const { claim } = action;
  const cluster = claim.founders.map((it) => ({ name: it.instanceId, peerUrl: peerUrl(it.address) }));
  const choice = await versionToStart(context, { quorum: seen.quorum, claim }, signal);
  if (choice.kind === 'missing') return missing(context, choice.why);
  return await run(
    context,
    action,
    choice.version,
    async (version) => {
      await keepIdentity(
        context,
        {
          ...identityOf(context, claim, version),
          clusterId: ports.ids.clusterId(
            cluster.map((it) => it.peerUrl),
            claim.token,
          ),
          memberId: ports.ids.memberId(peerUrl(ports.self.address), claim.token),
          // A late founder joins a cluster that lives.
          formed: claim.state === 'formed',
          voter: true,
        },
        signal,
      );
      // Flushed before etcd is run: whoever finds this without data knows that they are lost.
      await ports.data.writeMark(action.mark, signal);
      return { state: 'new', cluster, token: claim.token };
    },
    signal,
  );
}

/** Refusals of an add that say "not now": they pass with another joiner's promotion, or within etcd's own five seconds. */
const PASSING: ReadonlySet<AdminRefusal> = new Set(['too-many-learners', 'unhealthy-cluster']);

/**
 * Adds this instance as a learner to the cluster that was asked, and starts etcd with the member list as it is after the add.
 * Between the two this machine may have been frozen for long, and another stack's member answer at that address.
 */
export async function join(
  context: Context,
  action: ActionOf<'join'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports } = context;
  const choice = await versionToStart(context, { quorum: seen.quorum, claim: null }, signal);
  if (choice.kind === 'missing') return missing(context, choice.why);
  const asked = seen.quorum?.kind === 'answers' ? seen.quorum.list.clusterId : null;
  const stranger = await strangersCluster(ports.admin, action.endpoint, asked, signal);
  if (asked === null || stranger !== null)
    return reused(
      context,
      `${action.endpoint} is cluster ${stranger ?? 'unknown'}'s by now: nobody was added`,
    );
  const added = await ports.admin.addLearner(action.endpoint, peerUrl(ports.self.address), signal);
  if (added.ok && added.value.list.clusterId !== asked)
    return await leaveStranger(context, action.endpoint, added.value, signal);
  ports.meter.acted('join', added.ok ? 'done' : added.code);
  if (!added.ok) {
    context.chronicle.trouble('join', reason(added.code, added.message));
    return soon(context, standsForMs(action, seen), PASSING.has(added.code) ? 1_000 : 5_000);
  }
  const { memberId, list } = added.value;
  context.chronicle.event('join', action.reason, { memberId });
  const identity = {
    ...identityOf(context, action.claim, choice.version),
    clusterId: list.clusterId,
    memberId,
    formed: true,
    voter: false,
  };
  return await startJoiner(context, action, { identity, memberId, list }, signal);
}

/** Takes the own learner out of a cluster that nobody asked; where that fails, its own appliances evict who never starts. */
async function leaveStranger(
  context: Context,
  endpoint: string,
  { memberId, list }: { readonly memberId: string; readonly list: MemberList },
  signal: AbortSignal,
): Promise<StepResult> {
  const removed = await context.ports.admin.removeMember(endpoint, memberId, signal);
  const end = removed.ok ? 'was removed again' : `could not be removed again: ${removed.message}`;
  return reused(
    context,
    `${endpoint} was cluster ${list.clusterId}'s by then: member ${memberId} was added to it, and ${end}`,
  );
}

function reused(context: Context, why: string): StepResult {
  context.ports.meter.acted('join', 'address-reused');
  context.chronicle.trouble('join', reason('address-reused', why));
  return soon(context);
}

/** The member list as `--initial-cluster`: names must be unique and not empty, those of unstarted members are blank. */
function initialCluster(
  list: MemberList,
  ownId: string,
  ownName: string,
): NonNullable<EtcdStart['initial']>['cluster'] {
  return list.members.flatMap((member) =>
    member.peerUrls.map((url) => ({
      name: member.id === ownId ? ownName : member.name || member.id,
      peerUrl: url,
    })),
  );
}

function identityOf(
  context: Context,
  claim: Pick<Claim, 'token' | 'epoch'>,
  version: string,
): Pick<DataIdentity, 'format' | 'instanceId' | 'token' | 'epoch' | 'version' | 'register'> {
  const { self, zone } = context.ports;
  return {
    format: 1,
    instanceId: self.id,
    token: claim.token,
    epoch: claim.epoch,
    version,
    register: zone.register,
  };
}

function missing(context: Context, why: string): StepResult {
  // A step to a binary that was lost since the preflight is taken back, and not waited for until its limit.
  noteEnd(context.state, { lastWords: why });
  context.chronicle.trouble('start-etcd', reason('binary-missing', why));
  return { nextInMs: 5_000 };
}

/** Starts etcd. `prepare` is done once the binary is known, right before it runs, and says as what it starts, or that it must not. */
async function run(
  context: Context,
  action: StartAction,
  wanted: string | null,
  prepare: (version: string) => Promise<EtcdStart['initial'] | 'not-now'>,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports, options } = context;
  const installed = await ports.process.binaries(signal);
  const version = pickBinary(installed, wanted ?? options.etcdVersion);
  if (version === null)
    return missing(
      context,
      `no etcd ${minorOf(wanted ?? options.etcdVersion ?? 'of any version')} is installed`,
    );
  const initial = await prepare(version);
  if (initial === 'not-now') return soon(context);
  const started = await ports.process.start(
    {
      version,
      name: ports.self.id,
      address: ports.self.address,
      initial,
      snapshotCount: context.state.swap?.snapshotCount ?? null,
      ...(options.far === true && { timing: FAR_TIMING }),
    },
    signal,
  );
  if (!started.known) {
    noteEnd(context.state, { lastWords: started.reason });
    context.chronicle.trouble('start-etcd', reason('start-failed', started.reason));
    return { nextInMs: 1_000 };
  }
  context.chronicle.event('start-etcd', action.reason, { version, pid: started.value.pid });
  return started.value;
}
