import { describe, expect, it } from 'vitest';
import { begin, type History } from './history.ts';
import { clusterIds } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { present } from './world/world.ts';

/*
 * Births of instances whose images differ: an etcd of 3.6 beside one of 3.4 kills it, and one of the two may be a founder.
 */

const MINUTE_MS = 60_000;
const ALL = ['3.4.45', '3.5.35', '3.6.16', '3.7.3'];

interface Image {
  readonly versions: readonly string[];
  readonly wanted: string | null;
}

const image = (versions: readonly string[], wanted: string | null = null): Image => ({ versions, wanted });

/** Three machines, each with its own image before anything of it runs. */
async function beginWith(images: readonly Image[]): Promise<History> {
  const history = await begin({ seed: 21, desired: images.length, bootstrapWaitMs: 15_000 });
  const { world } = history;
  await history.waitFor('all are launched', () => present(world).length === images.length, 10_000);
  for (const [at, it] of present(world).entries()) Object.assign(it.image, images[at]);
  return history;
}

function running({ world }: History): readonly string[] {
  return present(world).map((it) => world.etcd.processAt(it.address)?.version ?? 'nothing');
}

describe('a birth of', () => {
  it.each([
    ['of 3.4, and of 3.4 to 3.7', [image(['3.4.45']), image(['3.4.45']), image(ALL)]],
    ['of 3.4 to 3.7, one of which is to be 3.4', [image(ALL), image(ALL, '3.4'), image(ALL)]],
  ])('images %s: all founders start the lowest minor that one of them is for', async (_name, images) => {
    const history = await beginWith(images);
    await history.waitFor('a claim', () => standingClaim(history.world) !== null, MINUTE_MS);
    expect(standingClaim(history.world)?.etcd).toBe('3.4');
    await history.waitFor('all run', () => running(history).every((it) => it !== 'nothing'), MINUTE_MS);
    expect(running(history)).toEqual(['3.4.45', '3.4.45', '3.4.45']);
    await history.settled(10 * MINUTE_MS);
  });

  it('images that have no minor in common: nobody claims, until one is mended', async () => {
    const history = await beginWith([image(['3.4.45']), image(['3.5.35']), image(['3.6.16'])]);
    const { world } = history;
    await history.pass(3 * MINUTE_MS);
    expect(world.reasons).toContain('start:birth-versions');
    expect(standingClaim(world)).toBe(null);
    expect(clusterIds(world)).toEqual([]);
    for (const it of present(world)) it.image.versions = ALL;
    history.faulted(0);
    await history.settled(5 * MINUTE_MS);
  });

  it('images of which two have a minor in common: they are born after the wait, and the third joins when it is mended', async () => {
    const history = await beginWith([image(['3.4.45']), image(['3.6.16']), image(['3.6.16'])]);
    const { world } = history;
    await history.waitFor('two are born', () => standingClaim(world)?.state === 'formed', 3 * MINUTE_MS);
    expect(world.reasons).toContain('start:birth-versions');
    expect(standingClaim(world)?.voters).toHaveLength(2);
    for (const it of present(world)) it.image.versions = ALL;
    history.faulted(0);
    await history.settled(5 * MINUTE_MS);
  });

  it('an image without any etcd: the others are born without it, and it joins when it is mended', async () => {
    const history = await beginWith([image(['3.5.35']), image(['3.5.35']), image([])]);
    const { world } = history;
    await history.waitFor('two are born', () => standingClaim(world)?.state === 'formed', 2 * MINUTE_MS);
    for (const it of present(world)) it.image.versions = ['3.5.35'];
    history.faulted(0);
    await history.settled(5 * MINUTE_MS);
  });
});
