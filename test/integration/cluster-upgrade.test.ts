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

test('what an operator clears is what it saw: a newer failure stays, and one that is gone is no trouble', async () => {
  await using stack = new AsyncDisposableStack();
  const { admin, members } = await labCluster('3.6', 1, stack);
  const [member] = members;
  if (member === undefined) throw new Error('no member');
  const upgrade = stack.use(
    openClusterUpgrade({ addresses: [member.address], statusPort: 2378, clusterId: null }),
  );
  const stored = async () =>
    must(await admin.read(member.endpoint, UPGRADE_KEYS.failed, { serializable: false }, calm));
  const put = async (value: object) =>
    must(await admin.put(member.endpoint, UPGRADE_KEYS.failed, JSON.stringify(value), {}, calm));
  const failed = { by: 'i-1', from: '3.5.35', to: '3.6.16', at: 'then', why: 'it does not come up' };

  expect(must(await upgrade.empty('failed', failed, calm))).toBe(true);
  await put({ ...failed, at: 'later' });
  expect(must(await upgrade.empty('failed', failed, calm))).toBe(false);
  expect((await stored())?.value).toContain('later');
  // Whoever wrote it may have named its fields in another order.
  const { why, ...step } = failed;
  await put({ why, ...step });
  expect(must(await upgrade.empty('failed', failed, calm))).toBe(true);
  expect((await stored())?.value).toBe('');

  // Between the look at it and the put, another writes it.
  await put(failed);
  const seen = await stored();
  await put({ ...failed, at: 'later' });
  const late = { modRevision: seen?.modRevision ?? '' };
  expect(must(await admin.put(member.endpoint, UPGRADE_KEYS.failed, '', late, calm))).toBe(false);
  expect((await stored())?.value).toContain('later');
});
