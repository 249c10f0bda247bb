import { expect, test } from 'vitest';
import { openOwnReach } from '../../src/app-own-address.ts';
import { unknown } from '../../src/core/known.ts';
import type { EtcdProcesses } from '../../src/etcd/process.ts';
import { createPeers } from '../../src/http/peers.ts';

const never = new AbortController().signal;

test.each([
  { what: 'the interface, where nothing else is said', bind: '10.0.0.1' },
  { what: 'where an operator says', bind: '0.0.0.0' },
])('etcd listens at $what, and its ports are looked at there', async ({ bind }) => {
  const asked: unknown[] = [];
  const processes: EtcdProcesses = {
    binaries: async () => await Promise.resolve([]),
    adopt: async () => await Promise.resolve(null),
    start: async ({ address, listenAddress }) => {
      asked.push({ address, listenAddress });
      return await Promise.resolve(unknown('a test'));
    },
    preflight: async (_version, address) => {
      asked.push(address);
      return await Promise.resolve(null);
    },
  };
  const own = { address: '203.0.113.1', listen: '10.0.0.1', bind };
  const { admin, process } = openOwnReach(own, { process: processes, peers: createPeers({ port: 1 }) });
  using _closed = admin;
  await process.preflight('3.6.1', own.address, never);
  await process.start({ version: '3.6.1', name: 'i-1', address: own.address, initial: null }, never);
  expect(asked).toEqual([bind, { address: '203.0.113.1', listenAddress: bind }]);
});
