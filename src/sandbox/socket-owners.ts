import { readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { processesOf, startTimeOf } from './processes.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * Who holds the other end of a connection between two IPv4 addresses of this machine: the id of the instance whose
 * process it is, null for anybody else's. On loopback the address of whoever connects tells nothing, so the kernel's
 * tables are read: the socket of these two ends, and the process that has it open.
 */
export function createSocketOwners(
  stateDir: string,
): (near: Endpoint, far: Endpoint) => Promise<string | null> {
  // A table that cannot be read shows nobody.
  const readTable = shared(() => readFile('/proc/self/net/tcp', 'latin1').catch(() => ''));
  let machines: readonly MachineProcess[] = [];
  const find = (inode: string): string | null => {
    const found = machines.find(({ pid }) => hasOpen(pid, inode));
    // A pid comes back, as somebody else's.
    return found === undefined || startTimeOf(found.pid) !== found.startTime ? null : found.instanceId;
  };
  return async (near, far) => {
    const inode = inodeOf(await readTable(), far, near);
    if (inode === null) return null;
    const found = find(inode);
    if (found !== null) return found;
    machines = machineProcesses(stateDir);
    return find(inode);
  };
}

/** One read for all who ask before it begins: the kernel takes milliseconds to write that table, and connections come in bursts. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= last.then(() => {
      next = null;
      const reading = read();
      last = reading.catch(() => undefined);
      return reading;
    });
    return next;
  };
}

interface MachineProcess {
  readonly pid: number;
  readonly startTime: string | null;
  readonly instanceId: string;
}

function machineProcesses(stateDir: string): readonly MachineProcess[] {
  return processesOf(stateDir).map(({ pid, dataDir }) => {
    const [instanceId = ''] = relative(stateDir, dataDir).split(sep);
    return { pid, startTime: startTimeOf(pid), instanceId };
  });
}

/** The number of the socket whose own end is `own`; null where it is closed. Format: proc(5), /proc/net/tcp. */
function inodeOf(table: string, own: Endpoint, other: Endpoint): string | null {
  const at = table.indexOf(` ${hexOf(own)} ${hexOf(other)} `);
  if (at < 0) return null;
  const [, , , , , , , , inode = '0'] = table.slice(at + 1, table.indexOf('\n', at)).split(/ +/);
  return inode === '0' ? null : inode;
}

/** 127.0.0.1 port 80 as the kernel writes it on this kind of machine: 0100007F:0050. */
function hexOf({ address, port }: Endpoint): string {
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, '0');
  const octets = address.split('.').map((octet) => hex(Number(octet), 2));
  return `${octets.toReversed().join('')}:${hex(port, 4)}`;
}

/** Whether a process has this socket open. One that has ended has nothing. */
function hasOpen(pid: number, inode: string): boolean {
  const wanted = `socket:[${inode}]`;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === wanted);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
