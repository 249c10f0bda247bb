import type { Claim } from '../core/claim.ts';
import type { DataIdentity } from '../core/local-data.ts';
import type { MemberList } from '../core/members.ts';
import { CLAIM_READ_INTERVAL_MS } from '../core/numbers.ts';
import { planStart } from '../core/plan-start.ts';
import { peerUrl } from '../core/urls.ts';
import { reason } from '../core/reason.ts';
import type { StartAction, StartCode, StartObservation } from '../core/start.ts';
import { minorOf, pickBinary } from '../core/versions.ts';
import { ApplianceError } from '../errors.ts';
import type { Context } from './context.ts';
import type { EtcdStart, RunningEtcd } from './ports.ts';
import type { DemandedFacts } from './start-facts.ts';
import { formingClusterId, gatherFact, versionToStart } from './start-facts.ts';

/** How one start goes. */
export interface StartMode {
  /** Restart after a crash: at first, what is known of Route 53 is taken as it is, however old. */
  readonly afterCrash: boolean;
  readonly damagedStarts: number;
}

/** A planner asks for a handful of facts in one tick; more would be a loop. */
const MOST_ASKS = 10;

/** What a step leaves behind: etcd runs, or the next look at once, or after a while. */
type StepResult = RunningEtcd | { readonly nextInMs: number };

/**
 * Brings etcd up: observes, plans and acts until it runs. Null: the instance leaves, and no etcd is started any more.
 * Throws only for what waiting cannot mend (`halt`).
 */
export async function startEtcd(
  context: Context,
  mode: StartMode,
  signal: AbortSignal,
): Promise<RunningEtcd | null> {
  const { clock } = context.ports;
  const began = clock.now();
  let standing = { code: '', since: began };
  for (let first = true; ; first = false) {
    signal.throwIfAborted();
    if (context.state.phase === 'leaving') return null;
    const turn = clock.now();
    const clocks = {
      waitedMs: turn - began,
      standing: { code: standing.code, forMs: turn - standing.since },
    };
    const { action, seen } = await decide(
      context,
      { ...mode, afterCrash: mode.afterCrash && first },
      clocks,
      signal,
    );
    context.chronicle.plan('start', [action.reason]);
    if (standing.code !== action.reason.code) standing = { code: action.reason.code, since: turn };
    const result = await execute(context, action, seen, signal);
    context.chronicle.turn('start', turn);
    if ('pid' in result) return result;
    if (result.nextInMs > 0) await context.lifeBell.wait(result.nextInMs, signal);
  }
}

/** One plan, with every fact that it asked for: also what `plan` prints. */
export async function decide(
  context: Context,
  mode: StartMode,
  clocks: Pick<StartObservation, 'waitedMs' | 'standing'>,
  signal: AbortSignal,
): Promise<{ readonly action: StartAction; readonly seen: StartObservation }> {
  const { ports, options, register, state } = context;
  const local = await ports.data.read(signal);
  state.identity = local.identity;
  const zone = mode.afterCrash ? register.last() : await register.read(CLAIM_READ_INTERVAL_MS, signal);
  const base = {
    self: ports.self,
    cluster: options.cluster,
    register: ports.zone.register,
    local,
    damagedStarts: mode.damagedStarts,
    zone,
    formingClusterId: formingClusterId(context),
    claimStoodMs: register.claimStoodMs(),
    ...clocks,
    freshToken: ports.random.token(),
    freshNonce: ports.random.token(),
    bootstrapWaitMs: options.bootstrapWaitMs,
  };
  const how = { hasData: local.present, afterCrash: mode.afterCrash };
  let facts: DemandedFacts = {};
  for (let asks = 0; asks < MOST_ASKS; asks += 1) {
    const seen: StartObservation = { ...base, ...facts };
    const action = planStart(seen);
    if (action.kind !== 'ask') return { action, seen };
    for (const fact of action.facts) {
      facts = { ...facts, ...(await gatherFact(context, fact, facts, how, signal)) };
    }
  }
  throw new Error('the start planner asks for facts without end');
}

/** How soon to look again while waiting: what others change shortly is looked at often, at no cost to AWS. */
function waitMs(code: StartCode): number {
  switch (code) {
    case 'fleet-incomplete':
    case 'instance-holds-data':
    case 'not-my-turn':
      return 250;
    case 'forming-wait':
    case 'forming-lost':
    case 'quorum-lost':
    case 'etcd-without-quorum':
    case 'answers-as-me':
      return 500;
    default:
      return 1_000;
  }
}

/** The action of one kind. */
type ActionOf<Kind extends StartAction['kind']> = Extract<StartAction, { readonly kind: Kind }>;

type Executors = {
  readonly [Kind in StartAction['kind']]: (
    context: Context,
    action: ActionOf<Kind>,
    seen: StartObservation,
    signal: AbortSignal,
  ) => Promise<StepResult>;
};

const AT_ONCE: StepResult = { nextInMs: 0 };

/** An action without an executor does not compile. */
const executors: Executors = {
  ask: async () => AT_ONCE,
  wait: async (_context, action) => ({ nextInMs: waitMs(action.reason.code) }),
  halt: async (_context, action) => {
    throw new ApplianceError(
      { code: 'configuration', problems: [action.reason.sentence] },
      action.reason.sentence,
    );
  },
  'set-aside': async (context, action, _seen, signal) => {
    await context.ports.data.setAside(action.reason.code, signal);
    context.chronicle.event('set-aside', action.reason);
    return AT_ONCE;
  },
  'clear-mark': async (context, _action, _seen, signal) => {
    await context.ports.data.writeMark(null, signal);
    return AT_ONCE;
  },
  'start-data': startData,
  register: changeRegister,
  found,
  'remove-own': async (context, action, _seen, signal) => {
    const outcome = await context.ports.admin.removeMember(action.endpoint, action.memberId, signal);
    context.ports.meter.acted('remove-own', outcome.ok ? 'done' : outcome.code);
    if (outcome.ok) context.chronicle.event('remove-own', action.reason, { memberId: action.memberId });
    else context.chronicle.trouble('remove-own', reason(outcome.code, outcome.message));
    return outcome.ok ? AT_ONCE : soon(context);
  },
  join,
};

async function execute(
  context: Context,
  action: StartAction,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  // The table pairs each kind with its own function; the compiler cannot follow a union through it.
  const executor = executors[action.kind] as (
    context: Context,
    action: StartAction,
    seen: StartObservation,
    signal: AbortSignal,
  ) => Promise<StepResult>;
  return await executor(context, action, seen, signal);
}

/** Soon, with jitter, so that joiners that were refused together do not come back together. */
function soon(context: Context): StepResult {
  return { nextInMs: 100 + Math.round(400 * context.ports.random.fraction()) };
}

async function changeRegister(
  context: Context,
  action: ActionOf<'register'>,
  _seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports, register } = context;
  if (action.mark !== null) await ports.data.writeMark(action.mark, signal);
  const outcome = await register.change(action.changes, signal);
  ports.meter.acted('register', outcome.kind);
  if (outcome.kind !== 'done') {
    context.chronicle.trouble('register', reason(outcome.kind, outcome.message));
    // Another was first: what it wrote is read at once.
    return outcome.kind === 'conflict' ? AT_ONCE : soon(context);
  }
  context.chronicle.event('register', action.reason);
  const { hint } = action;
  if (hint !== null) {
    const { self } = ports;
    void Promise.all(
      hint.addresses.map((it) => ports.peers.askBirth(it, { epoch: hint.epoch, from: self.id }, signal)),
    ).catch(
      () => undefined, // Only an abort throws, and the waiter next to it throws it, too.
    );
  }
  return AT_ONCE;
}

async function startData(
  context: Context,
  action: ActionOf<'start-data'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { identity } = seen.local;
  return await run(
    context,
    action,
    identity?.version ?? null,
    null,
    async (version) => {
      if (identity !== null && identity.version !== version)
        await keepIdentity(context, { ...identity, version }, signal);
    },
    signal,
  );
}

async function found(
  context: Context,
  action: ActionOf<'found'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports } = context;
  const { claim } = action;
  const cluster = claim.founders.map((it) => ({ name: it.instanceId, peerUrl: peerUrl(it.address) }));
  const initial = { state: 'new' as const, cluster, token: claim.token };
  const choice = await versionToStart(context, seen.quorum, signal);
  if (choice.kind === 'missing') return missing(context, choice.why);
  return await run(
    context,
    action,
    choice.version,
    initial,
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
        },
        signal,
      );
      // Flushed before etcd is run: whoever finds this without data knows that they are lost.
      await ports.data.writeMark(action.mark, signal);
    },
    signal,
  );
}

async function join(
  context: Context,
  action: ActionOf<'join'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports } = context;
  const choice = await versionToStart(context, seen.quorum, signal);
  if (choice.kind === 'missing') return missing(context, choice.why);
  const added = await ports.admin.addLearner(action.endpoint, peerUrl(ports.self.address), signal);
  ports.meter.acted('join', added.ok ? 'done' : added.code);
  if (!added.ok) {
    context.chronicle.trouble('join', reason(added.code, added.message));
    return soon(context);
  }
  const { memberId, list } = added.value;
  context.chronicle.event('join', action.reason, { memberId });
  const initial = {
    state: 'existing' as const,
    cluster: initialCluster(list, memberId, ports.self.id),
    token: action.claim.token,
  };
  return await run(
    context,
    action,
    choice.version,
    initial,
    async (version) => {
      await keepIdentity(
        context,
        {
          ...identityOf(context, action.claim, version),
          clusterId: list.clusterId,
          memberId,
          formed: true,
        },
        signal,
      );
    },
    signal,
  );
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
  claim: Claim,
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

/** Writes the identity beside the data, flushed, and shows it. */
async function keepIdentity(context: Context, identity: DataIdentity, signal: AbortSignal): Promise<void> {
  await context.ports.data.writeIdentity(identity, signal);
  context.state.identity = identity;
}

function missing(context: Context, why: string): StepResult {
  context.chronicle.trouble('start-etcd', reason('binary-missing', why));
  return { nextInMs: 5_000 };
}

/** Starts etcd; `before` is done once the binary is known, and before it runs. */
async function run(
  context: Context,
  action: StartAction,
  wanted: string | null,
  initial: EtcdStart['initial'],
  before: (version: string) => Promise<void>,
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
  await before(version);
  const started = await ports.process.start(
    { version, name: ports.self.id, address: ports.self.address, initial },
    signal,
  );
  if (!started.known) {
    context.chronicle.trouble('start-etcd', reason('start-failed', started.reason));
    return { nextInMs: 1_000 };
  }
  context.chronicle.event('start-etcd', action.reason, { version, pid: started.value.pid });
  return started.value;
}
