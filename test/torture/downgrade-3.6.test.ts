import { expect, test } from 'vitest';
import { calm, must, untilServing } from '../etcd-lab.ts';
import { describeDowngrade, falling } from '../upgrade-lab/downgrades.ts';
import {
  bornOn,
  dies,
  first,
  keysAt,
  swap,
  swapWhole,
  untilCluster,
  versionsOf,
  write,
} from '../upgrade-lab/lab.ts';

describeDowngrade({ from: '3.6', to: '3.5' });

test.concurrent(
  'a downgrade that is cancelled when one member is down already is gone back from by swapping it up',
  async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await falling({ from: '3.6', to: '3.5' }, 3, stack);
    const slot = first(lab);
    await swap(slot, '3.5');
    await untilServing(lab.admin, slot.member);
    const last = lab.slots.at(-1)?.member.endpoint ?? '';
    expect(await lab.admin.downgrade(last, 'cancel', '', calm)).toMatchObject({ ok: true });
    await untilCluster(lab, (it) => it.downgradeTarget === null);
    expect((await versionsOf(lab)).every((it) => it.cluster === '3.5.0')).toBe(true);
    await swapWhole(lab, slot, '3.6', 5);
    await untilCluster(lab, (it) => it.cluster === '3.6.0' && it.storage === '3.6.0');
    for (const each of lab.slots) expect(await keysAt(lab, each)).toBe(5);
  },
);

test.concurrent(
  'an older binary without a downgrade refuses the data, and the newer one starts there again',
  async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.6', 1, stack);
    await write(lab, 5);
    const slot = first(lab);
    await untilCluster(lab, (it) => it.storage === '3.6.0');
    await dies(await swap(slot, '3.5'), 1, 'invalid downgrade');
    await swapWhole(lab, slot, '3.6', 5);
  },
);

test.concurrent.each([
  { minor: '3.4', target: '3.3' },
  { minor: '3.6', target: '3.4' },
  { minor: '3.6', target: '3.6' },
  { minor: '3.7', target: '3.5' },
])('etcd $minor refuses a downgrade to $target, and nothing is under way', async ({ minor, target }) => {
  await using stack = new AsyncDisposableStack();
  const lab = await bornOn(minor, 1, stack);
  const { member } = first(lab);
  for (const action of ['validate', 'enable'] as const)
    expect(await lab.admin.downgrade(member.endpoint, action, target, calm)).toMatchObject({ ok: false });
  expect(must(await lab.admin.versions(member.endpoint, calm)).downgradeTarget).toBeNull();
});
