import { execa } from 'execa';
import { expect, test } from 'vitest';
import { calm, endOf, untilServing } from '../etcd-lab.ts';
import { etcdBinary } from '../tools.ts';
import { bornOn, dies, first, keysAt, swap, swapWhole, versionsOf, write } from './lab.ts';

test.concurrent(
  'whether authentication is on, asked of a 3.5 beside 3.4 by its own word, kills 3.4; asked by the appliance, nobody',
  async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.4', 3, stack);
    await write(lab, 5);
    const [one, ...others] = lab.slots;
    if (one === undefined) throw new Error('no member');
    await swapWhole(lab, one, '3.5', 5);
    for (const { member } of lab.slots)
      expect(await lab.admin.authEnabled(member.endpoint, calm)).toEqual({ known: true, value: false });
    await write(lab, 10);
    expect((await versionsOf(lab)).map((it) => it.cluster)).toEqual(['3.4.0', '3.4.0', '3.4.0']);

    // It goes through the log, and 3.4 does not know it. There is no quorum afterwards, and no answer.
    const { etcdctl } = await etcdBinary('3.5');
    const asked = ['--endpoints', first(lab).member.endpoint, '--command-timeout=2s', 'auth', 'status'];
    await execa(etcdctl, asked, { reject: false });
    for (const { running } of others) await dies(running, 2, 'not implemented');
    for (const slot of others) expect((await endOf(await swap(slot, '3.4'))).code).toBe(2);
    for (const slot of others) await swap(slot, '3.5');
    for (const slot of others) await untilServing(lab.admin, slot.member);
    for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(10);
  },
);
