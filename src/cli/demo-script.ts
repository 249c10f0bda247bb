import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ApplianceError } from '../errors.ts';
import type { EtcdAdmin } from '../etcd/admin.ts';
import { clientUrl } from '../etcd/flags.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { viewInstances, viewNames, whatIsMissing } from './demo-view.ts';
import type { InstanceView } from './demo-view.ts';
import { startWriter } from './demo-writer.ts';
import type { Writer, WriteReport } from './demo-writer.ts';

/** One step, and what it took. */
export interface StepReport {
  readonly name: string;
  readonly ok: boolean;
  /** From the act until every member answered a linearizable read, the member list fitted the instances, and DNS, too. */
  readonly ms: number;
  /** The same, from the start of the last new instance's process on; null where there was none. */
  readonly sinceNewProcessMs: number | null;
  /** What was still missing where it failed. */
  readonly missing: readonly string[];
}

/** What a run of the script gives, as `--json` prints it. */
export interface ScriptReport {
  readonly ok: boolean;
  /** It was told to end before it was through: it is not `ok` then, and says nothing about the step it was at. */
  readonly interrupted: boolean;
  readonly etcdVersion: string | null;
  readonly steps: readonly StepReport[];
  /** `lost` is null where nobody looked. */
  readonly writes: WriteReport & { readonly lost: number | null };
  readonly totalMs: number;
}

interface Step {
  readonly name: string;
  /** Instances that there must be afterwards. */
  readonly size: number;
  readonly limitMs: number;
  /** Begins it; `before` is what there was. */
  readonly act: (before: readonly InstanceView[]) => Promise<void>;
}

export interface ScriptDeps {
  readonly sandbox: Sandbox;
  readonly admin: EtcdAdmin;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_AGAIN_MS = 50;
const LAST_LINES = 8;

/**
 * Forms, kills, terminates, scales; after each step waits until all is whole again. Writes go on from the first moment at
 * which they can, and every acknowledged one is looked for at the end, through every member.
 */
export async function runScript(deps: ScriptDeps): Promise<ScriptReport> {
  const { sandbox, admin, signal } = deps;
  const startedAt = performance.now();
  const writer = startWriter(admin, () => runningEndpoints(sandbox));
  const steps: StepReport[] = [];
  await unlessInterrupted(doSteps(steps, deps), signal);
  const writes = await writer.stop();
  const found = signal.aborted ? null : await unlessInterrupted(readBack(writer, writes, deps), signal);
  return {
    ok: found?.ok === true && steps.every(({ ok }) => ok),
    interrupted: found === null,
    etcdVersion: found?.etcdVersion ?? null,
    steps,
    writes: { ...writes, lost: found?.lost ?? null },
    totalMs: Math.round(performance.now() - startedAt),
  };
}

/** What the work gives; null where it was told to end, which may end it anywhere. */
async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    const done = await work;
    return signal.aborted ? null : done;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** Does the steps until one fails; each report is put to `reports` as soon as it is there. */
async function doSteps(reports: StepReport[], deps: ScriptDeps): Promise<void> {
  const { sandbox, say, signal } = deps;
  for (const step of stepsOf(sandbox)) {
    const report = await doStep(step, deps);
    if (signal.aborted && !report.ok) return;
    reports.push(report);
    say(renderStep(report));
    if (!report.ok) await showLogs(deps);
    if (!report.ok || signal.aborted) return;
  }
}

interface ReadBack {
  readonly ok: boolean;
  readonly etcdVersion: string | null;
  readonly lost: number;
}

/** Looks for every acknowledged write, through every member. */
async function readBack(writer: Writer, writes: WriteReport, deps: ScriptDeps): Promise<ReadBack> {
  const { sandbox, admin, say, signal } = deps;
  const lost = new Set<string>();
  const instances = await viewInstances(sandbox, admin, signal);
  const readable = instances.filter(({ healthy }) => healthy).map(({ address }) => clientUrl(address));
  for (const endpoint of readable) for (const key of await writer.lostAt(endpoint)) lost.add(key);
  say(
    `${writes.acknowledged} writes acknowledged, ${lost.size} of them lost (read through ${readable.length} members); ` +
      `longest gap ${writes.longestGapMs} ms`,
  );
  return {
    ok: lost.size === 0 && readable.length > 0 && writes.acknowledged > 0,
    etcdVersion: await versionOf(readable[0], deps),
    lost: lost.size,
  };
}

function stepsOf(sandbox: Sandbox): readonly Step[] {
  const { cloud, hypervisor, addresses } = sandbox;
  const one = (instances: readonly InstanceView[], role: InstanceView['role']): string => {
    const found = instances.find((instance) => instance.role === role)?.instanceId;
    if (found !== undefined) return found;
    throw new ApplianceError({ code: 'not-found', what: role ?? 'instance' }, `no ${role} to do this to`);
  };
  return [
    { name: 'form a cluster of three', size: 3, limitMs: 60_000, act: () => sandbox.start() },
    {
      name: 'kill the etcd of a follower',
      size: 3,
      limitMs: 60_000,
      act: (before) => hypervisor.kill(one(before, 'follower'), 'etcd'),
    },
    {
      name: 'kill the etcd of the leader',
      size: 3,
      limitMs: 60_000,
      act: (before) => hypervisor.kill(one(before, 'leader'), 'etcd'),
    },
    {
      name: 'terminate an instance',
      size: 3,
      limitMs: 120_000,
      act: async (before) => cloud.terminateInstance(one(before, 'follower')),
    },
    {
      name: 'scale to five',
      size: 5,
      limitMs: 120_000,
      act: async () => cloud.setDesired(addresses.group, 5),
    },
    {
      name: 'scale back to three',
      size: 3,
      limitMs: 180_000,
      act: async () => cloud.setDesired(addresses.group, 3),
    },
  ];
}

async function doStep(step: Step, deps: ScriptDeps): Promise<StepReport> {
  const { sandbox, admin, signal } = deps;
  const before = await viewInstances(sandbox, admin, signal);
  const lastEvent = sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
  const startedAt = performance.now();
  const startedWallMs = Date.now();
  await step.act(before);
  let missing: readonly string[] = ['nothing was looked at'];
  while (missing.length > 0 && performance.now() - startedAt < step.limitMs && !signal.aborted) {
    const [instances, names] = await Promise.all([viewInstances(sandbox, admin, signal), viewNames(sandbox)]);
    missing = [...whatIsMissing(step.size, instances, names), ...notYetDone(before, instances, step)];
    if (missing.length > 0) await delay(LOOK_AGAIN_MS);
  }
  const ms = Math.round(performance.now() - startedAt);
  const lastStart = sandbox.cloud.events
    .since(lastEvent)
    .findLast(({ type, fields }) => type === 'process-start' && isNew(before, fields['instanceId']));
  return {
    name: step.name,
    ok: missing.length === 0,
    ms,
    sinceNewProcessMs: lastStart === undefined ? null : Math.round(startedWallMs + ms - lastStart.atMs),
    missing,
  };
}

/** The last words of every machine: where a step failed, they say why. */
async function showLogs({ sandbox, say }: ScriptDeps): Promise<void> {
  for (const { instanceId, logFile } of await sandbox.hypervisor.report()) {
    const lines = (await readFile(logFile, 'utf8').catch(() => '')).trimEnd().split('\n');
    for (const line of lines.slice(-LAST_LINES)) say(`         ${instanceId}: ${line}`);
  }
}

/** A group of the right size may be the old one, which has not begun to do what it was told. */
function notYetDone(
  before: readonly InstanceView[],
  now: readonly InstanceView[],
  step: Step,
): readonly string[] {
  const gone =
    step.name === 'terminate an instance' && before.every(({ instanceId }) => !isNew(now, instanceId));
  return gone ? ['the instance is still there'] : [];
}

function isNew(before: readonly InstanceView[], instanceId: unknown): boolean {
  return before.every((instance) => instance.instanceId !== instanceId);
}

function runningEndpoints(sandbox: Sandbox): readonly string[] {
  return sandbox.cloud
    .describe()
    .instances.filter(({ state }) => state === 'running')
    .map(({ address }) => clientUrl(address));
}

async function versionOf(
  endpoint: string | undefined,
  { admin, signal }: ScriptDeps,
): Promise<string | null> {
  if (endpoint === undefined) return null;
  const status = await admin.status(endpoint, signal);
  return status.known ? status.value.version : null;
}

function renderStep({ name, ok, ms, sinceNewProcessMs, missing }: StepReport): string {
  const more =
    sinceNewProcessMs === null ? '' : ` (${sinceNewProcessMs} ms after its newest process started)`;
  return `${ok ? 'ok    ' : 'FAILED'} ${name}: ${ms} ms${more}${missing.map((line) => `\n         ${line}`).join('')}`;
}
