import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createAdmin } from '../../src/etcd/admin.ts';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import { calm, labCluster, must } from '../etcd-lab.ts';

const DEADLINE_MS = 500;

/** An etcd behind links of which each is dead until it is opened: what is said on it before comes over then. */
async function behindLinks(stack: AsyncDisposableStack) {
  const { members } = await labCluster('3.6', 1, stack);
  const etcd = new URL(members[0]?.endpoint ?? '');
  const links: { readonly open: () => void }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(etcd.port), etcd.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket.on('close', () => sockets.delete(socket)));
      socket.on('error', () => undefined);
    }
    links.push({ open: () => void near.pipe(far).pipe(near) });
  });
  await listen(server, { host: '127.0.0.1', port: 0 });
  stack.defer(async () => {
    const closed = closeServer(server);
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const admin = stack.use(createAdmin({ deadlineMs: DEADLINE_MS, dial: () => `http://127.0.0.1:${port}` }));
  return { links, ask: async () => admin.status('http://etcd', calm) };
}

// Over a slow link a connection takes much of a call's time: one that each late call closed would never be of use.
test('a connection on which one call was late serves the next', async () => {
  await using stack = new AsyncDisposableStack();
  const { links, ask } = await behindLinks(stack);
  expect((await ask()).known).toBe(false);
  links[0]?.open();
  must(await ask());
  expect(links).toHaveLength(1);
});

test('of calls that are late at the same time none closes the connection', async () => {
  await using stack = new AsyncDisposableStack();
  const { links, ask } = await behindLinks(stack);
  for (const answer of await Promise.all([ask(), ask(), ask()])) expect(answer.known).toBe(false);
  links[0]?.open();
  must(await ask());
  expect(links).toHaveLength(1);
});

test('a connection on which two in a row were late is given up, and another one made', async () => {
  await using stack = new AsyncDisposableStack();
  const { links, ask } = await behindLinks(stack);
  expect((await ask()).known).toBe(false);
  expect((await ask()).known).toBe(false);
  expect(links).toHaveLength(1);
  const third = ask();
  await expect.poll(() => links.length).toBe(2);
  links[1]?.open();
  must(await third);
});
