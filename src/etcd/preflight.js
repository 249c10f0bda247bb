import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describeError } from '../errors.js';
import { freeBytes, hasSystemCode } from './files.js';
import { CLIENT_PORT, PEER_PORT } from './flags.js';
/** etcd preallocates its log in files of 64 MB, two at a time, and the database needs room beside them. */
const NEEDED_BYTES = 256 * 1024 * 1024;
/** What would keep etcd from starting on this directory and address, as a clause; null where nothing. */
export async function preflight(dataDirectory, listenAddress) {
  return (await checkDisk(dataDirectory)) ?? (await checkPorts(listenAddress));
}
async function checkDisk(directory) {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const free = await freeBytes(directory);
    if (free >= NEEDED_BYTES) return null;
    return `the disk of ${directory} has ${toMiB(free)} MiB left, and etcd needs ${toMiB(NEEDED_BYTES)}`;
  } catch (error) {
    return `${directory} cannot be used: ${describeError(error)}`;
  }
}
async function checkPorts(address) {
  for (const port of [PEER_PORT, CLIENT_PORT]) {
    const server = createServer();
    try {
      server.listen({ host: address, port, exclusive: true });
      await once(server, 'listening');
    } catch (error) {
      if (hasSystemCode(error, 'EADDRINUSE')) return `port ${port} of ${address} is in use`;
      if (hasSystemCode(error, 'EADDRNOTAVAIL')) return `this machine does not have the address ${address}`;
      return `port ${port} of ${address} cannot be had: ${describeError(error)}`;
    } finally {
      server.close();
    }
  }
  return null;
}
function toMiB(bytes) {
  return Math.floor(bytes / 1024 / 1024);
}
