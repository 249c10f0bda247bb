import { describe, expect, it } from 'vitest';
import { formed } from './history.ts';
import { present } from './world/world.ts';

/*
 * What a planner says only where things meet that chance brings together once in a hundred thousand histories (`codes.ts`).
 */

const SEEDS = [31, 32];
const MINUTE_MS = 60_000;

describe.each(SEEDS)('under seed %i', (seed) => {
  it('a voter comes back to another cluster of its name, which a person let begin: its data are set aside', async () => {
    const history = await formed({ seed, desired: 3, mayLoseMajority: true });
    const { world } = history;
    const [late, ...others] = present(world);
    if (late === undefined) throw new Error('nobody');
    await history.happens({ kind: 'power-cut', lastsMs: 6 * MINUTE_MS }, late);
    for (const it of others) await history.happens({ kind: 'wipe', what: 'disk' }, it);
    await history.pass(MINUTE_MS);
    await history.happens({ kind: 'claim', does: 'release', lastsMs: 0 });
    await history.settled(15 * MINUTE_MS);
    expect(history.said(late.id)).toContain('[other-cluster]');
    expect(late.disk.aside).toHaveLength(1);
  });
});
