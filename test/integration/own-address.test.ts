import { expect, test } from 'vitest';
import { openOwnReach } from '../../src/app-own-address.ts';
import { FAR_TIMING } from '../../src/core/numbers.ts';
import { clientUrl, peerUrl } from '../../src/core/urls.ts';
import { startFaceServer } from '../../src/http/server.ts';
import { createPeers } from '../../src/http/peers.ts';
import { createFakeFace } from '../fakes/face.ts';
import { calm, keptLog, labMember, must } from '../etcd-lab.ts';
import { eventually, freePort, ownAddress } from '../tools.ts';

/*
 * An instance that is known by an address that no interface has, as a public one of EC2 is: nobody listens at `address`, and
 * whatever is asked of it and answers was asked where the own etcd and face listen.
 */
test('an etcd that advertises an address of no interface is asked where it listens', async () => {
  await using stack = new AsyncDisposableStack();
  const member = stack.use(await labMember('3.6'));
  const own = { address: ownAddress(), listen: member.address, bind: member.address };
  const port = await freePort(own.listen);
  const { admin, probe, process, peers } = openOwnReach(own, {
    process: member.processes,
    peers: createPeers({ port }),
  });
  stack.use(admin);
  expect(await process.preflight(member.version, own.address, calm)).toBeNull();
  const start = {
    version: member.version,
    name: 'i-1',
    address: own.address,
    timing: FAR_TIMING,
    initial: {
      state: 'new',
      token: 'own-address',
      cluster: [{ name: 'i-1', peerUrl: peerUrl(own.address) }],
    },
  } as const;
  const running = must(await process.start(start, calm));
  stack.defer(async () => void (await running.stop(0)));
  const endpoint = clientUrl(own.address);
  await eventually(async () => (await admin.status(endpoint, calm)).known);

  const { members } = must(await admin.memberList(endpoint, { linearizable: true }, calm));
  expect(members).toMatchObject([{ peerUrls: [peerUrl(own.address)], clientUrls: [endpoint] }]);
  expect((await admin.versions(endpoint, calm)).known).toBe(true);
  expect((await probe.probe(own.address, calm)).kind).toBe('answers');
  expect((await process.preflight(member.version, own.address, calm))?.why).toContain(own.listen);
  // Who comes back finds it, whatever it advertises.
  expect((await process.adopt(calm))?.pid).toBe(running.pid);

  const server = await startFaceServer(
    { address: own.listen, port },
    { face: createFakeFace(), log: keptLog().deps.log },
  );
  stack.defer(async () => await server.close());
  expect((await peers.askBirth(own.address, { epoch: 0, from: 'i-2' }, calm)).known).toBe(true);
});
