import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { whileOff } from './damage.ts';
import type { Fleet } from './harness.ts';

/*
 * Disks that are small, full or slow. Only in files of the namespace pool: what is mounted there ends with the file, and
 * whoever runs it may mount, and trace processes.
 */

const run = promisify(execFile);

/** A disk of its own under the data of an instance. */
export interface SmallDisk extends AsyncDisposable {
  /** Until nothing more can be written. */
  readonly fill: () => Promise<void>;
  /** Makes room again. */
  readonly clear: () => Promise<void>;
}

/** Moves the data of an instance onto a file system in memory of so many MiB, and back at the end of the scope. */
export async function onSmallDisk(fleet: Fleet, instanceId: string, sizeMiB: number): Promise<SmallDisk> {
  const { dataDir } = await fleet.machine(instanceId);
  const elsewhere = `${dataDir}.moved`;
  const ballast = join(dataDir, 'ballast');
  await whileOff(fleet, instanceId, async () => {
    await rename(dataDir, elsewhere);
    await mkdir(dataDir);
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', dataDir]);
    // Sparse: what etcd keeps in advance as zeroes takes no room yet, and is what it will miss.
    await run('cp', ['-a', '--sparse=always', `${elsewhere}/.`, dataDir]);
  });
  return {
    fill: () => fill(ballast),
    clear: () => rm(ballast, { force: true }),
    async [Symbol.asyncDispose]() {
      await whileOff(fleet, instanceId, async () => {
        await rm(ballast, { force: true });
        await rm(elsewhere, { recursive: true });
        await cp(dataDir, elsewhere, { recursive: true });
        // The appliance, which is frozen, has files open there.
        await run('umount', ['--lazy', dataDir]);
        await rm(dataDir, { recursive: true });
        await rename(elsewhere, dataDir);
      });
    },
  };
}

/** Writes to this file until nothing more can be written on its disk. */
export async function fill(path: string): Promise<void> {
  await using file = await open(path, 'a');
  for (let piece = Buffer.alloc(1 << 20); piece.length > 0;) {
    try {
      await file.appendFile(piece);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      piece = piece.subarray(0, Math.floor(piece.length / 2));
    }
  }
}

/** What etcd's own metrics tell of the flushes of its log, from its start on. */
export interface Flushes {
  readonly count: number;
  readonly tookMs: number;
}

/** Reads them of the etcd at a client URL. */
export async function flushesOf(endpoint: string): Promise<Flushes> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const read = (part: string): number => {
    const [, value] =
      new RegExp(`^etcd_disk_wal_fsync_duration_seconds_${part} (\\S+)$`, 'm').exec(text) ?? [];
    if (value === undefined) throw new Error(`${endpoint} tells no ${part} of flushes`);
    return Number(value);
  };
  return { count: read('count'), tookMs: read('sum') * 1_000 };
}

/** Makes every flush of an instance's etcd take so much longer, until the end of the scope: strace holds it. */
export async function slowFlushes(
  fleet: Fleet,
  instanceId: string,
  delayMs: number,
): Promise<AsyncDisposable> {
  const { etcd } = await fleet.machine(instanceId);
  if (etcd === null) throw new Error(`${instanceId} runs no etcd`);
  const slow = `inject=fdatasync,fsync:delay_exit=${delayMs * 1_000}`;
  const flags = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-p',
    String(etcd.pid),
    '-e',
    'trace=fdatasync,fsync',
    '-e',
    slow,
  ];
  const strace = spawn('strace', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  strace.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  strace.on('error', (error) => (said += error.message));
  await fleet.until('strace holds its etcd', async () => {
    if (strace.pid === undefined || strace.exitCode !== null) throw new Error(`strace ended: ${said}`);
    const status = await readFile(`/proc/${etcd.pid}/status`, 'utf8');
    return status.includes(`TracerPid:\t${strace.pid}`) ? [] : ['not yet'];
  });
  return {
    async [Symbol.asyncDispose]() {
      if (strace.exitCode !== null || strace.signalCode !== null) return;
      const ended = once(strace, 'exit');
      strace.kill('SIGINT');
      await ended;
    },
  };
}
