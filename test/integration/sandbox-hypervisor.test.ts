import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSystemClock } from '../../src/sandbox/clock.ts';
import { createEventLog } from '../../src/sandbox/events.ts';
import { createHypervisor } from '../../src/sandbox/hypervisor.ts';
import type { RunningHypervisor } from '../../src/sandbox/hypervisor.ts';
import type { EventLog, Machine } from '../../src/sandbox/model.ts';
import { createLoopbackNetwork } from '../../src/sandbox/network.ts';
import { processesOf, startTimeOf } from '../../src/sandbox/processes.ts';
import { createStateDir, startGuard, sweepDeadSandboxes } from '../../src/sandbox/state-dir.ts';

const STAND_IN = join(import.meta.dirname, '../fixtures/stand-in-appliance.ts');

let parent: string;
let stateDir: string;
let events: EventLog;
let hypervisor: RunningHypervisor;
let machines = 0;

/** An address that no other test listens on: the process id makes it this file's own. */
function aMachine(): Machine {
  machines += 1;
  const address = `127.76.${process.pid % 250}.${machines}`;
  return {
    instanceId: `i-${machines.toString(16).padStart(17, '0')}`,
    region: 'eu-central-1',
    zone: 'eu-central-1a',
    address,
    publicAddress: null,
    stackName: 'etcd-demo',
    groupName: 'etcd-demo',
    launchedAtMs: 0,
    metadataEndpoint: `http://${address}:1338`,
  };
}

function aHypervisor(
  behaviour = '',
  command: readonly string[] = [process.execPath, STAND_IN, 'run'],
): RunningHypervisor {
  return createHypervisor(
    {
      stateDir,
      command,
      environment: ({ address }) => ({ LISTEN_ADDRESS: address, STAND_IN: behaviour }),
    },
    { events, network: createLoopbackNetwork('127.76') },
  );
}

interface Answer {
  readonly pid: number;
  readonly etcd: number;
  readonly tookOver: boolean;
  readonly env: Record<string, string>;
}

/** What the stand-in says once it answers. */
async function answerOf({ address }: Machine): Promise<Answer> {
  return vi.waitFor(async () => (await (await fetch(`http://${address}:2378/`)).json()) as Answer, {
    timeout: 10_000,
    interval: 20,
  });
}

async function booted(): Promise<{ machine: Machine; answer: Answer }> {
  const machine = aMachine();
  await hypervisor.boot(machine);
  return { machine, answer: await answerOf(machine) };
}

/** The answer of another process than `before`. */
function answerAfter(machine: Machine, before: Answer): Promise<Answer> {
  return vi.waitFor(
    async () => {
      const answer = await answerOf(machine);
      expect(answer.pid).not.toBe(before.pid);
      return answer;
    },
    { timeout: 10_000, interval: 20 },
  );
}

async function reportOf({ instanceId }: Machine) {
  const report = (await hypervisor.report()).find((one) => one.instanceId === instanceId);
  if (report === undefined) throw new Error(`no report of ${instanceId}`);
  return report;
}

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'hypervisor-test-'));
  stateDir = await createStateDir(parent);
  events = createEventLog(createSystemClock());
  hypervisor = aHypervisor();
});

afterEach(async () => {
  await hypervisor.close();
  expect(processesOf(stateDir)).toEqual([]);
  await rm(parent, { recursive: true, force: true });
});

describe('a machine that runs', () => {
  test('has its own environment and nothing of ours', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIADEVELOPER');
    vi.stubEnv('ETCD_NAME', 'leaked');
    const { machine, answer } = await booted();
    vi.unstubAllEnvs();
    // The C library of some systems adds LC_CTYPE or the like by itself: none of it can be ours.
    expect(Object.keys(answer.env).toSorted()).toEqual(['DATA_DIR', 'HOME', 'LISTEN_ADDRESS', 'STAND_IN']);
    expect(answer.env['DATA_DIR']).toBe(join(stateDir, machine.instanceId, 'data'));
  });

  test('tells its etcd from its appliance', async () => {
    const { machine, answer } = await booted();
    const report = await reportOf(machine);
    expect(report.appliance).toEqual({ pid: answer.pid, frozen: false });
    expect(report.etcd).toEqual({ pid: answer.etcd, frozen: false });
  });

  test('loses its etcd alone when that is killed', async () => {
    const { machine, answer } = await booted();
    await hypervisor.kill(machine.instanceId, 'etcd');
    expect(startTimeOf(answer.etcd)).toBeNull();
    expect((await reportOf(machine)).appliance?.pid).toBe(answer.pid);
  });

  test('keeps its etcd when the appliance is killed, and starts the appliance again', async () => {
    const { machine, answer } = await booted();
    await hypervisor.kill(machine.instanceId, 'appliance');
    const after = await answerAfter(machine, answer);
    expect(after.etcd).toBe(answer.etcd);
    expect(after.tookOver).toBe(true);
    expect((await reportOf(machine)).starts).toBe(2);
    expect(events.since(0).map(({ type }) => type)).toEqual([
      'process-start',
      'machine-signal',
      'process-exit',
      'process-start',
    ]);
  });

  test('freezes and thaws one process', async () => {
    const { machine } = await booted();
    await hypervisor.freeze(machine.instanceId, 'etcd');
    expect((await reportOf(machine)).etcd?.frozen).toBe(true);
    expect((await reportOf(machine)).appliance?.frozen).toBe(false);
    await hypervisor.thaw(machine.instanceId, 'etcd');
    expect((await reportOf(machine)).etcd?.frozen).toBe(false);
  });

  // Of two strikes at one process the first may thaw it as the second freezes it.
  test('is done with a freeze that was thawed before it could be seen', async () => {
    const { machine } = await booted();
    for (let time = 0; time < 20; time += 1) {
      const frozen = hypervisor.freeze(machine.instanceId, 'etcd');
      await hypervisor.thaw(machine.instanceId, 'etcd');
      await frozen;
    }
    expect((await reportOf(machine)).etcd?.frozen).toBe(false);
  });

  // As it is for a moment after each start: the system shows no environment of a program that it is about to run.
  test('has its appliance frozen, thawed and killed before that can be told by its environment', async () => {
    hypervisor = aHypervisor('', ['env', '-i', 'sleep', '30']);
    const machine = aMachine();
    await hypervisor.boot(machine);
    const pid = Number(events.since(0).find(({ type }) => type === 'process-start')?.fields['pid']);
    const isFrozen = async () => / T /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
    await hypervisor.freeze(machine.instanceId, 'appliance');
    expect(await isFrozen()).toBe(true);
    await hypervisor.thaw(machine.instanceId, 'appliance');
    expect(await isFrozen()).toBe(false);
    await hypervisor.kill(machine.instanceId, 'appliance');
    expect(startTimeOf(pid)).toBeNull();
  });

  test('comes back with an empty disk when its data are wiped', async () => {
    const { machine, answer } = await booted();
    const { etcd, dataDir } = { etcd: answer.etcd, dataDir: (await reportOf(machine)).dataDir };
    expect(existsSync(join(dataDir, 'etcd.pid'))).toBe(true);
    await hypervisor.wipeData(machine.instanceId);
    const after = await answerAfter(machine, answer);
    expect(startTimeOf(etcd)).toBeNull();
    expect(after.tookOver).toBe(false);
    expect(after.etcd).not.toBe(etcd);
  });

  test('has its new variables from the next start on, and others only when they are launched', async () => {
    const { machine, answer } = await booted();
    hypervisor.configure(machine.instanceId, { ETCD_VERSION: '3.6' });
    hypervisor.launchWith({ ETCD_VERSION: '3.7', STAND_IN: '' });
    expect((await answerOf(machine)).env['ETCD_VERSION']).toBeUndefined();
    await hypervisor.restart(machine.instanceId);
    expect(startTimeOf(answer.pid)).toBeNull();
    const after = await answerAfter(machine, answer);
    expect(after.env).toMatchObject({ ETCD_VERSION: '3.6', LISTEN_ADDRESS: machine.address });
    const other = await booted();
    expect(other.answer.env).toMatchObject({
      ETCD_VERSION: '3.7',
      LISTEN_ADDRESS: other.machine.address,
    });
  });

  test('is not touched by a verb that names another', async () => {
    const { answer } = await booted();
    await expect(hypervisor.kill('i-0nobody', 'etcd')).rejects.toThrow('instance i-0nobody is not running');
    expect(startTimeOf(answer.etcd)).not.toBeNull();
  });
});

describe('a machine that ends', () => {
  test('may end in order', async () => {
    const { machine, answer } = await booted();
    await hypervisor.shutdown(machine.instanceId, 10_000);
    expect(startTimeOf(answer.pid)).toBeNull();
    expect(startTimeOf(answer.etcd)).toBeNull();
    const exit = events.since(0).findLast(({ type }) => type === 'process-exit');
    expect(exit?.fields).toMatchObject({ code: 0, signal: null });
    expect(await hypervisor.report()).toEqual([]);
  });

  test('is killed at the end of its grace, with all that it started', async () => {
    hypervisor = aHypervisor('deaf');
    const { machine, answer } = await booted();
    const startedAt = performance.now();
    await hypervisor.shutdown(machine.instanceId, 300);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
    expect(startTimeOf(answer.pid)).toBeNull();
    expect(startTimeOf(answer.etcd)).toBeNull();
    const exit = events.since(0).findLast(({ type }) => type === 'process-exit');
    expect(exit?.fields).toMatchObject({ signal: 'SIGKILL' });
  });

  test('takes along what its appliance left behind', async () => {
    hypervisor = aHypervisor('quitter');
    const { machine, answer } = await booted();
    await hypervisor.shutdown(machine.instanceId, 10_000);
    expect(startTimeOf(answer.etcd)).toBeNull();
  });

  test('is dead at once in a power cut, its disk with it', async () => {
    hypervisor = aHypervisor('deaf');
    const { machine, answer } = await booted();
    await hypervisor.powerCut(machine.instanceId);
    expect(startTimeOf(answer.pid)).toBeNull();
    expect(startTimeOf(answer.etcd)).toBeNull();
    expect(await readdir(join(stateDir, machine.instanceId))).toEqual(['appliance.log']);
  });

  test('is not started again, though its appliance is while it runs', async () => {
    hypervisor = aHypervisor('failing');
    const machine = aMachine();
    await hypervisor.boot(machine);
    const starts = () => events.since(0).filter(({ type }) => type === 'process-start').length;
    await vi.waitFor(() => expect(starts()).toBeGreaterThan(1), { timeout: 10_000, interval: 20 });
    await hypervisor.powerCut(machine.instanceId);
    const atTheEnd = starts();
    // Longer than the next restart would have taken: what runs another machine as often shows that time has passed.
    const other = aMachine();
    await hypervisor.boot(other);
    await vi.waitFor(() => expect(starts()).toBeGreaterThan(atTheEnd + 3), { timeout: 10_000, interval: 20 });
    const later = events
      .since(0)
      .filter(({ type }) => type === 'process-start')
      .slice(atTheEnd);
    expect(new Set(later.map(({ fields }) => fields['instanceId']))).toEqual(new Set([other.instanceId]));
  });
});

describe('a sandbox that dies', () => {
  /** A process that owns a sandbox with one machine, and what it started. */
  async function aSandboxProcess(
    guarded: boolean,
  ): Promise<{ pid: number; stateDir: string; kill: () => Promise<void> }> {
    const script = join(import.meta.dirname, '../fixtures/owner-of-a-sandbox.ts');
    const child = spawn(process.execPath, [script, parent, guarded ? 'guarded' : 'unguarded'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return {
      pid: child.pid ?? 0,
      stateDir: line.toString().trim(),
      kill: async () => {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  test('is cleaned up by its guard, kill -9 or not', async () => {
    const owner = await aSandboxProcess(true);
    expect(
      processesOf(owner.stateDir)
        .map(({ kind }) => kind)
        .toSorted(),
    ).toEqual(['etcd', 'other']);
    await owner.kill();
    await vi.waitFor(() => expect(existsSync(owner.stateDir)).toBe(false), { timeout: 10_000, interval: 20 });
    expect(processesOf(owner.stateDir)).toEqual([]);
  });

  test('is swept by the next one where its guard died, too', async () => {
    const owner = await aSandboxProcess(false);
    expect(await sweepDeadSandboxes(parent)).toEqual([]);
    expect(processesOf(owner.stateDir)).not.toEqual([]);
    await owner.kill();
    expect(await sweepDeadSandboxes(parent)).toEqual([owner.stateDir]);
    expect(existsSync(owner.stateDir)).toBe(false);
    expect(processesOf(owner.stateDir)).toEqual([]);
    expect(existsSync(stateDir)).toBe(true);
  });

  test('has a guard that leaves in order when it is let go, and keeps what it is told to keep', async () => {
    const kept = await createStateDir(parent);
    await startGuard(kept, { keep: true }).release();
    expect(await readFile(join(kept, 'owner'), 'utf8')).toContain(String(process.pid));
    await startGuard(kept, { keep: false }).release();
    expect(existsSync(kept)).toBe(false);
  });
});
