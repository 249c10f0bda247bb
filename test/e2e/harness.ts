import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, type TestContext } from 'vitest';
import { createAdmin, type EtcdAdmin } from '../../src/etcd/admin.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { MachineReport } from '../../src/sandbox/machine.ts';
import type { CloudSettings, Fault, FaultRequest } from '../../src/sandbox/model.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createStateDir } from '../../src/sandbox/state-dir.ts';
import { ETCD_DIRECTORY } from '../tools.ts';
import { textOf } from './fields.ts';
import { program } from './build.ts';
import { type Registers, startRegisters } from './registers.ts';
import { badLines, tellStory } from './story.ts';
import { missingInMembers, missingInNames, missingInReadiness, type View, viewAll } from './view.ts';
import { startWatch, type Watch } from './watch.ts';
import { startWriters, type Writers } from './writers.ts';

export interface FleetOptions {
  /** Of all regions together. */
  readonly size: number;
  /** How many of them are where, in this order; in one region where absent. */
  readonly regions?: Readonly<Record<string, number>>;
  /** With a launching and a terminating lifecycle hook. */
  readonly hooks?: boolean;
  /** More variables for the appliances. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly settings?: Partial<CloudSettings>;
  /** A network namespace for each instance, so that it can be cut off; only in files of the namespace pool. */
  readonly namespaces?: boolean;
  /** Called when there is a cloud, and no instance yet. */
  readonly beforeStart?: (sandbox: Sandbox) => void;
  /** A module that each appliance loads before anything of its own. */
  readonly preload?: string;
}

/** A group of instances in a sandbox of its own, with clients that write all the time and a watch over its whole life. */
export interface Fleet {
  readonly sandbox: Sandbox;
  readonly admin: EtcdAdmin;
  readonly watch: Watch;
  readonly writers: Writers;
  readonly registers: Registers;
  readonly view: () => Promise<readonly View[]>;
  readonly leader: () => Promise<View>;
  /** Voters that do not lead, in the order of their ids. */
  readonly followers: () => Promise<readonly View[]>;
  readonly machine: (instanceId: string) => Promise<MachineReport>;
  /** Asks until nothing is missing; fails at the limit with what was. */
  readonly until: (
    what: string,
    missing: () => Promise<readonly string[]>,
    limitMs?: number,
  ) => Promise<void>;
  /** Fails as soon as something is wrong within the time. */
  readonly during: (ms: number, wrong: () => Promise<readonly string[]>) => Promise<void>;
  /** Until all `size` instances serve as voters of one cluster, and nobody else does. */
  readonly serves: (size: number, limitMs?: number) => Promise<void>;
  /** The same, with all that names them: claim, DNS; and with an answer through each to clients that asked since this was called. */
  readonly whole: (size: number, limitMs?: number) => Promise<void>;
  /** Until so many more writes were acknowledged. */
  readonly writesGoOn: (more?: number) => Promise<void>;
  readonly fault: (fault: Pick<FaultRequest, 'kind'> & Partial<FaultRequest>) => Fault;
  /** How often active faults hit calls of this action. */
  readonly hits: (action: string) => number;
  /**
   * Every acknowledged write through every member, all that clients saw through every member as if one thing happened
   * after the other, one cluster, records never emptied, no voter removed without a reason; and no learner, unless a joiner may have had to
   * begin again.
   */
  readonly verify: (options?: { readonly joinersBeginAgain: boolean }) => Promise<void>;
  /** What happened since the epoch time. */
  readonly story: (sinceMs: number) => string;
  readonly close: () => Promise<void>;
}

const LOOK_AGAIN_MS = 50;
const LIMIT_MS = 90_000;

/** A fleet for one test, which may be concurrent: told about where that fails, ended with it. */
export async function fleetForTest(
  { onTestFailed, onTestFinished }: TestContext,
  options: FleetOptions,
): Promise<Fleet> {
  const startedMs = Date.now();
  const fleet = await startFleet(options);
  onTestFailed(() => tell(fleet.story(startedMs)));
  onTestFinished(async () => fleet.close(), LIMIT_MS);
  return fleet;
}

/** A fleet that lives through all tests of a file, in their order. */
export function fleetForFile(options: FleetOptions): () => Fleet {
  let fleet: Fleet | null = null;
  let startedMs = Date.now();
  const get = (): Fleet => {
    if (fleet === null) throw new Error('the fleet was not started');
    return fleet;
  };
  beforeAll(async () => {
    fleet = await startFleet(options);
    try {
      await fleet.whole(options.size);
    } catch (error) {
      tell(fleet.story(startedMs));
      throw error;
    }
  });
  beforeEach(() => {
    startedMs = Date.now();
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') tell(get().story(startedMs));
  });
  afterAll(async () => fleet?.close());
  return get;
}

function tell(story: string): void {
  process.stderr.write(`${story}\n`);
}

/** Starts the instances and the writers, and waits for nothing. */
async function startFleet(options: FleetOptions): Promise<Fleet> {
  const sandbox = await createSandbox({
    parent: tmpdir(),
    searchPath: process.env['PATH'] ?? '',
    etcdDir: ETCD_DIRECTORY,
    ...(options.preload === undefined
      ? { program: program() }
      : { command: [process.execPath, '--import', options.preload, program(), 'run'] }),
    // For whoever looks for the cause of a failure: the logs stay.
    keep: process.env['E2E_KEEP'] !== undefined,
    group: {
      desired: options.regions === undefined ? options.size : Object.values(options.regions),
      min: 0,
      max: 9,
      hooks: options.hooks === true,
    },
    ...(options.regions === undefined ? {} : { regions: Object.keys(options.regions) }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...(options.namespaces === true ? { inside: await createStateDir(tmpdir()) } : {}),
  });
  options.beforeStart?.(sandbox);
  const admin = createAdmin({ deadlineMs: 2_000 });
  const watch = startWatch(sandbox, admin);
  await sandbox.start();
  const endpoints = watchEndpoints(sandbox);
  const writers = startWriters(admin, endpoints);
  const registers = startRegisters(endpoints);
  const look = looking(sandbox, admin, watch, { writers, registers });
  let lastStory: string | null = null;
  const tellNow = (sinceMs: number): string =>
    lastStory ?? tellStory(sandbox.addresses.stateDir, sandbox.cloud.events.since(0), sinceMs);
  const close = async (): Promise<void> => {
    // A test may be found failed only when its files are gone.
    lastStory = tellNow(0);
    await Promise.all([writers.stop(), registers.stop()]);
    await watch.stop();
    admin[Symbol.dispose]();
    await sandbox.close();
  };
  return {
    sandbox,
    admin,
    watch,
    writers,
    registers,
    ...look,
    ...faulting(sandbox),
    verify: async (how) => {
      const nowMs = performance.now();
      await look.until('clients read through every member', async () => missingInClients(registers, nowMs));
      expect(registers.broken(), 'registers that nobody can explain').toEqual([]);
      await verify(sandbox, admin, watch, writers, how?.joinersBeginAgain === true);
    },
    story: tellNow,
    close,
  };
}

/** Where etcds may be. Clients ask before every call, so it is looked up only when an instance has changed. */
function watchEndpoints({ cloud }: Sandbox): () => readonly string[] {
  let endpoints: readonly string[] | null = null;
  cloud.events.subscribe(({ type }) => {
    if (type === 'instance-state') endpoints = null;
  });
  return () =>
    (endpoints ??= cloud
      .describe()
      .instances.filter(({ state }) => state === 'running')
      .map(({ address }) => clientUrl(address)));
}

type Looking =
  'view' | 'leader' | 'followers' | 'machine' | 'until' | 'during' | 'serves' | 'whole' | 'writesGoOn';

function looking(
  sandbox: Sandbox,
  admin: EtcdAdmin,
  watch: Watch,
  { writers, registers }: { readonly writers: Writers; readonly registers: Registers },
): Pick<Fleet, Looking> {
  const view = (): Promise<readonly View[]> => viewAll(sandbox, admin);
  const until: Fleet['until'] = async (what, ask, limitMs = LIMIT_MS) => {
    const end = performance.now() + limitMs;
    for (;;) {
      const left = await ask();
      if (left.length === 0) return;
      if (performance.now() >= end) throw new Error(`${what}: not within ${limitMs} ms:\n${left.join('\n')}`);
      await delay(LOOK_AGAIN_MS);
    }
  };
  // Who is not ready says so in one cheap answer; etcd is asked when all are, and nothing is whole before that.
  const missing = async (size: number): Promise<{ members: readonly string[]; views: readonly View[] }> => {
    const waiting = await missingInReadiness(sandbox);
    if (waiting.length > 0) return { members: waiting, views: [] };
    const views = await view();
    return { members: missingInMembers(size, views), views };
  };
  const ofRole = async (leads: boolean): Promise<readonly View[]> =>
    (await view())
      .filter(({ status }) => status !== null && (status.leader === status.memberId) === leads)
      .toSorted((one, other) => (one.instanceId < other.instanceId ? -1 : 1));
  return {
    view,
    until,
    leader: async () => {
      const [leader] = await ofRole(true);
      if (leader === undefined) throw new Error('nobody leads');
      return leader;
    },
    followers: () => ofRole(false),
    machine: async (instanceId) => {
      const machine = (await sandbox.hypervisor.report()).find((one) => one.instanceId === instanceId);
      if (machine === undefined) throw new Error(`${instanceId} does not run`);
      return machine;
    },
    during: async (ms, wrong) => {
      const end = performance.now() + ms;
      while (performance.now() < end) {
        expect(await wrong()).toEqual([]);
        await delay(LOOK_AGAIN_MS);
      }
    },
    serves: (size, limitMs) =>
      until(`${size} voters serve`, async () => (await missing(size)).members, limitMs),
    whole: async (size, limitMs) => {
      const sinceMs = performance.now();
      await until(
        `a whole cluster of ${size}`,
        async () => {
          const { members, views } = await missing(size);
          if (members.length > 0) return members;
          const unnamed = await missingInNames(sandbox, views, watch);
          // Also through who was just away: what it still holds from before is asked for now or never.
          return unnamed.length > 0 ? unnamed : missingInClients(registers, sinceMs);
        },
        limitMs,
      );
    },
    writesGoOn: async (more = 20) => {
      const wanted = writers.acknowledged() + more;
      await until('writes go on', async () => {
        const done = writers.acknowledged();
        return done >= wanted ? [] : [`${done} of ${wanted} writes`];
      });
    },
  };
}

function missingInClients(registers: Registers, sinceMs: number): readonly string[] {
  return registers.silentSince(sinceMs).map((endpoint) => `no client has read through ${endpoint}`);
}

function faulting({ cloud }: Sandbox): Pick<Fleet, 'fault' | 'hits'> {
  let hits: readonly string[] = [];
  cloud.events.subscribe(({ type, fields }) => {
    if (type === 'fault-hit') hits = [...hits, textOf(fields, 'action')];
    if (type === 'fault-lifted') hits = [];
  });
  return {
    fault: (fault) => cloud.faults.add({ service: '*', action: '*', instance: '*', ...fault }),
    hits: (action) => hits.filter((hit) => hit === action).length,
  };
}

async function verify(
  sandbox: Sandbox,
  admin: EtcdAdmin,
  watch: Watch,
  writers: Writers,
  joinersBeginAgain: boolean,
): Promise<void> {
  const views = await viewAll(sandbox, admin);
  expect(writers.acknowledged()).toBeGreaterThan(0);
  expect(views.length).toBeGreaterThan(0);
  for (const { instanceId, address } of views) {
    expect(
      await writers.lostAt(clientUrl(address)),
      `acknowledged writes, read through ${instanceId}`,
    ).toEqual([]);
  }
  expect(watch.clusterIds(), 'cluster ids').toEqual([watch.claim()?.clusterId]);
  expect(watch.formedTokens(), 'tokens of formed epochs').toEqual([watch.claim()?.token]);
  expect(watch.emptied(), 'records that were emptied').toEqual([]);
  expect(watch.unjustified('voters'), 'voters removed without a reason').toEqual([]);
  if (!joinersBeginAgain) {
    expect(watch.unjustified('all'), 'members removed without a reason').toEqual([]);
  }
  expect(badLines(sandbox.addresses.stateDir), 'loops that failed').toEqual([]);
}
