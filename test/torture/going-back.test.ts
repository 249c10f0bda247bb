import { describe, expect, test } from 'vitest';
import { calm, endOf, must, untilServing } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import { bornOn, keysAt, roll, swap, untilCluster, versionsOf, write } from '../upgrade-lab/lab.ts';

const EDGES = [
  { from: '3.4', to: '3.5' },
  { from: '3.5', to: '3.6' },
  { from: '3.6', to: '3.7' },
] as const;

describe('a member that stepped up', () => {
  test.concurrent.each(EDGES)(
    'from $from to $to goes back while another has not, and no write is lost',
    async ({ from, to }) => {
      await using stack = new AsyncDisposableStack();
      const lab = await bornOn(from, 3, stack);
      await write(lab, 5);
      const [one, two] = lab.slots;
      if (one === undefined || two === undefined) throw new Error('no member');
      // The cluster's own version is decided: what follows does not move it.
      await untilCluster(lab, (it) => it.cluster === `${from}.0`);
      for (const slot of [one, two]) {
        await swap(slot, to);
        await untilServing(lab.admin, slot.member);
      }
      await write(lab, 10);
      for (const slot of [two, one]) {
        await swap(slot, from);
        await untilServing(lab.admin, slot.member);
      }
      expect((await versionsOf(lab)).map((it) => it.cluster)).toEqual(lab.slots.map(() => `${from}.0`));
      for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(10);
      // And up again, all of them.
      await roll(lab, to);
      for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(10);
    },
  );

  test.concurrent.each(EDGES)(
    'from $from to $to is refused the way back once all have',
    async ({ from, to }) => {
      await using stack = new AsyncDisposableStack();
      const lab = await bornOn(from, 1, stack);
      const [slot] = lab.slots;
      if (slot === undefined) throw new Error('no member');
      await roll(lab, to);
      await eventually(async () => {
        const { storage } = must(await lab.admin.versions(slot.member.endpoint, calm));
        return to === '3.5' || storage === `${to}.0`;
      });
      const exit = await endOf(await swap(slot, from));
      expect(exit).toMatchObject({ saysDamaged: null });
      expect(exit.code).toBeGreaterThan(0);
      await swap(slot, to);
      await untilServing(lab.admin, slot.member);
    },
  );
});
