import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { ROOM_FOR_ETCD_BYTES } from '../core/numbers.ts';
import type { Obstacle } from '../core/start.ts';
import { describeError } from '../errors.ts';
import { listServers, pickBinary } from './binaries.ts';
import { freeBytes, hasSystemCode } from './files.ts';
import { CLIENT_PORT, PEER_PORT } from './flags.ts';

/**
 * Why the binary of this very version cannot be run; null where it can. It is asked for its version now, in at most 10 s:
 * an image may have lost it, its right to be executed, or hold another version under its name.
 */
export async function preflightBinary(
  etcdDirectory: string,
  version: string,
  signal: AbortSignal,
): Promise<Obstacle | null> {
  const { binaries, broken } = await listServers(etcdDirectory, signal);
  if (pickBinary(binaries, version) !== null) return null;
  const inPlace = binaries.find(({ directory }) => basename(directory) === version);
  const wrong = inPlace === undefined ? [] : [`${inPlace.etcd} is ${inPlace.version}`];
  const unusable = broken.filter(({ directory }) => basename(directory).startsWith(version));
  const reasons = [...wrong, ...unusable.map(({ reason }) => reason)];
  const why = reasons.length > 0 ? reasons.join('; ') : `it has ${listed(binaries.map((it) => it.version))}`;
  return other(`there is no etcd ${version} in ${etcdDirectory} that runs: ${why}`);
}

function listed(versions: readonly string[]): string {
  return versions.length === 0 ? 'none at all' : versions.join(', ');
}

/** What would keep etcd from starting on this directory and address; null where nothing. */
export async function preflight(dataDirectory: string, listenAddress: string): Promise<Obstacle | null> {
  return (await checkDisk(dataDirectory)) ?? (await checkPorts(listenAddress));
}

async function checkDisk(directory: string): Promise<Obstacle | null> {
  try {
    const there = await nearestFolder(directory);
    await access(there, constants.R_OK | constants.W_OK | constants.X_OK);
    const free = await freeBytes(there);
    if (free >= ROOM_FOR_ETCD_BYTES) return null;
    return {
      kind: 'disk-short',
      why: `the disk of ${directory} has ${toMiB(free)} MiB left, and etcd needs ${toMiB(ROOM_FOR_ETCD_BYTES)}`,
    };
  } catch (error) {
    return other(`${directory} cannot be used: ${describeError(error)}`);
  }
}

/** The folder, or the one in which it is to be made: a question makes none, as whoever asks it need not be who runs etcd. */
async function nearestFolder(directory: string): Promise<string> {
  try {
    await access(directory);
    return directory;
  } catch (error) {
    if (!hasSystemCode(error, 'ENOENT') || dirname(directory) === directory) throw error;
    return await nearestFolder(dirname(directory));
  }
}

async function checkPorts(address: string): Promise<Obstacle | null> {
  for (const port of [PEER_PORT, CLIENT_PORT]) {
    const server = createServer();
    try {
      server.listen({ host: address, port, exclusive: true });
      await once(server, 'listening');
    } catch (error) {
      if (hasSystemCode(error, 'EADDRINUSE')) return other(`port ${port} of ${address} is in use`);
      if (hasSystemCode(error, 'EADDRNOTAVAIL'))
        return other(`this machine does not have the address ${address}`);
      return other(`port ${port} of ${address} cannot be had: ${describeError(error)}`);
    } finally {
      server.close();
    }
  }
  return null;
}

function other(why: string): Obstacle {
  return { kind: 'other', why };
}

function toMiB(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024);
}
