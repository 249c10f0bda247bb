import { expect, test } from 'vitest';
import { openClusterUpgrade } from '../../src/app-upgrade.ts';
import { encodePart, UPGRADE_KEYS } from '../../src/core/upgrade-record.ts';
import { calm, labCluster, must } from '../etcd-lab.ts';

/** A cluster of one, as an operator meets it: its member, and its id. */
async function clusterOfOne(stack: AsyncDisposableStack) {
  const { admin, members } = await labCluster('3.6', 1, stack);
  const [member] = members;
  if (member === undefined) throw new Error('no member');
  const { clusterId } = must(await admin.status(member.endpoint, calm));
  const paused = async () =>
    must(await admin.read(member.endpoint, UPGRADE_KEYS.paused, { serializable: false }, calm));
  return { address: member.address, clusterId, paused };
}

test('an address of the claim that EC2 has given to another cluster is neither shown nor written to', async () => {
  await using stack = new AsyncDisposableStack();
  const [mine, other] = await Promise.all([clusterOfOne(stack), clusterOfOne(stack)]);
  const at = '2026-11-22T03:00:00.000Z';
  const open = (addresses: readonly string[]) =>
    stack.use(openClusterUpgrade({ addresses, statusPort: 2378, clusterId: mine.clusterId }));

  const upgrade = open([other.address, mine.address]);
  expect(await upgrade.write('paused', { at }, calm)).toEqual({ known: true, value: true });
  expect((await mine.paused())?.value).toBe(encodePart({ at }));
  expect(must(await upgrade.look(calm)).record).toMatchObject({ value: { paused: { at } } });

  const lost = open([other.address]);
  const said = { known: false, reason: expect.stringContaining(`cluster ${other.clusterId}`) as string };
  expect(await lost.write('paused', { at }, calm)).toMatchObject(said);
  expect(await lost.look(calm)).toMatchObject(said);
  expect(await other.paused()).toBeNull();
});
