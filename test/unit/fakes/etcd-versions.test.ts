import { beforeEach, describe, expect, it } from 'vitest';
import { createEtcdLab, type EtcdLab } from '../../fakes/etcd/lab.ts';

const NEVER = new AbortController().signal;

let lab: EtcdLab;

const versions = async (index: number) => {
  const told = await lab.soon(lab.admin.versions(lab.host(index).endpoint, NEVER));
  return told.known ? told.value : told.reason;
};
const downgrade = async (action: 'validate' | 'enable' | 'cancel', version: string, via = 0) => {
  const outcome = await lab.soon(lab.admin.downgrade(lab.host(via).endpoint, action, version, NEVER));
  return outcome.ok ? 'ok' : outcome.message;
};
const write = async (count: number): Promise<void> => {
  for (let at = 0; at < count; at += 1)
    expect(await lab.soon(lab.admin.put(lab.host(2).endpoint, `k${at}`, 'v', {}, NEVER))).toMatchObject({
      known: true,
    });
};
/** Adds the host at `index` as a learner, and starts it as a version; how it ended, or null. */
const join = async (index: number, version: string): Promise<string | null> => {
  await lab.clock.advance(6_000);
  const { endpoint } = lab.host(0);
  const added = await lab.soon(lab.admin.addLearner(endpoint, lab.host(index).peerUrl, NEVER));
  if (!added.ok) throw new Error(added.message);
  const cluster = added.value.list.members.map((it) => ({
    name: it.name === '' ? `n${index + 1}` : it.name,
    peerUrl: it.peerUrls[0] ?? '',
  }));
  await lab.start(index, { state: 'existing', cluster, token: 'a-token' }, { version });
  await lab.clock.advance(12_000);
  return lab.host(index).exit?.lastWords ?? null;
};
const born = async (version: string): Promise<void> => {
  lab = createEtcdLab(4, 1, version);
  await lab.found(3);
  await lab.clock.advance(10_000);
};
const roll = async (version: string): Promise<void> => {
  for (const index of [0, 1, 2]) await lab.swap(index, { version });
  await lab.clock.advance(10_000);
};

describe('the version of a cluster', () => {
  it.each(['3.4.45', '3.5.35', '3.6.16', '3.7.3'])('is the minor of its members, %s', async (version) => {
    await born(version);
    const minor = version.slice(0, 3);
    expect(await versions(1)).toEqual({
      server: version,
      cluster: `${minor}.0`,
      storage: minor < '3.6' ? null : `${minor}.0`,
      downgradeTarget: null,
    });
  });

  it('is none at first, or 3.0, until every member was reached', async () => {
    lab = createEtcdLab(3, 1, '3.6.16');
    const founding = lab.founding(3);
    for (const index of [0, 1]) await lab.start(index, founding);
    await lab.clock.advance(20_000);
    expect(await versions(0)).toMatchObject({ cluster: '3.0.0' });
    await lab.start(2, founding);
    await lab.clock.advance(8_000);
    expect(await versions(0)).toMatchObject({ cluster: '3.6.0' });
  });

  it('follows when the last member runs newer, and not before', async () => {
    await born('3.5.35');
    await lab.swap(0, { version: '3.6.16' });
    await lab.swap(1, { version: '3.6.16' });
    await lab.clock.advance(20_000);
    expect(await versions(0)).toMatchObject({ cluster: '3.5.0', storage: '3.5.0' });
    await lab.swap(2, { version: '3.6.16' });
    await lab.clock.advance(10_000);
    expect(await versions(2)).toMatchObject({ cluster: '3.6.0', storage: '3.6.0' });
    expect(await lab.swap(2, { version: '3.5.35' })).toBeUndefined();
    expect(lab.host(2).exit).toMatchObject({ code: 1 });
  });
});

describe('what a version dies of', () => {
  it('3.4 dies beside 3.6, and again on the same data; 3.5 runs on them', async () => {
    await born('3.4.45');
    await lab.swap(0, { version: '3.6.16' });
    await lab.clock.advance(2_000);
    expect(lab.host(1).exit).toMatchObject({ code: 2, lastWords: 'panic: not implemented' });
    await lab.swap(1, { version: '3.4.45' });
    expect(lab.host(1).exit).toMatchObject({ code: 2 });
    await lab.swap(1, { version: '3.5.35' });
    expect(lab.host(1).exit).toBe(null);
  });

  it('3.6 dies of what a question after its health left in the log of 3.4, until a snapshot takes it out', async () => {
    await born('3.4.23');
    lab.etcd.askHealth(lab.host(1).address);
    await roll('3.5.35');
    await lab.swap(0, { version: '3.6.16' });
    expect(lab.host(0).exit).toMatchObject({ code: 2 });
    await lab.swap(0, { version: '3.5.35', snapshotCount: 3 });
    await write(8);
    await lab.swap(0, { version: '3.6.16' });
    expect(lab.host(0).exit).toBe(null);
  });

  it('3.7 dies of a log of 3.5, until a downgrade begun and withdrawn brings a snapshot', async () => {
    await born('3.5.35');
    await roll('3.6.16');
    await lab.swap(0, { version: '3.7.3' });
    expect(lab.host(0).exit).toMatchObject({ code: 2 });
    await lab.swap(0, { version: '3.6.16' });
    expect(await downgrade('enable', '3.5')).toBe('ok');
    await lab.clock.advance(9_000);
    expect(await downgrade('cancel', '')).toBe('ok');
    await lab.clock.advance(9_000);
    expect(await versions(1)).toMatchObject({ cluster: '3.6.0', downgradeTarget: null });
    await roll('3.7.3');
    expect(await versions(1)).toMatchObject({ server: '3.7.3', cluster: '3.7.0', storage: '3.7.0' });
  });
});

describe('a downgrade', () => {
  beforeEach(() => born('3.6.16'));

  it('leads one minor down, and ends by itself', async () => {
    expect(await downgrade('validate', '3.4')).toContain('invalid downgrade target version');
    expect(await downgrade('validate', '3.5')).toBe('ok');
    expect(await downgrade('enable', '3.5')).toBe('ok');
    expect(await downgrade('enable', '3.5')).toContain('in progress');
    await lab.clock.advance(9_000);
    expect(await versions(0)).toMatchObject({ cluster: '3.5.0', storage: '3.5.0', downgradeTarget: '3.5.0' });
    await lab.swap(0, { version: '3.5.35' });
    expect(await versions(0)).toMatchObject({ downgradeTarget: null });
    expect(await downgrade('validate', '3.4')).toContain('in progress');
    await roll('3.5.35');
    expect(lab.node(0).files.state).toMatchObject({ clusterVersion: '3.5.0', downgrade: null });
    expect(await downgrade('validate', '3.4')).toBe('ok');
  });

  it('keeps joiners of both minors out', async () => {
    await downgrade('enable', '3.5');
    await lab.clock.advance(9_000);
    expect(await join(3, '3.6.16')).toContain('incompatible');
  });

  it('withdrawn with a member down already leaves the version down, and no way to begin again', async () => {
    await downgrade('enable', '3.5');
    await lab.clock.advance(9_000);
    await lab.swap(0, { version: '3.5.35' });
    expect(await downgrade('cancel', '', 1)).toBe('ok');
    await lab.clock.advance(9_000);
    expect(await versions(1)).toMatchObject({ cluster: '3.5.0', downgradeTarget: null });
    expect(await downgrade('enable', '3.5', 1)).toContain('invalid downgrade target version');
    await lab.swap(0, { version: '3.6.16' });
    await lab.clock.advance(9_000);
    expect(await versions(1)).toMatchObject({ cluster: '3.6.0' });
  });

  it('withdrawn with a member down already takes in one of the old version, by a snapshot', async () => {
    await downgrade('enable', '3.5');
    await lab.clock.advance(9_000);
    await lab.swap(0, { version: '3.5.35' });
    expect(await downgrade('cancel', '', 1)).toBe('ok');
    expect(await join(3, '3.5.35')).toBe(null);
    expect(lab.node(3).files.snapshotIndex).toBeGreaterThan(1);
  });
});

describe('an empty member', () => {
  it.each([
    ['3.4.45', '3.5.35', null],
    ['3.5.35', '3.6.16', null],
    ['3.6.16', '3.7.3', null],
    ['3.5.35', '3.4.45', 'incompatible'],
    ['3.7.3', '3.6.16', 'incompatible'],
    ['3.5.35', '3.7.3', 'unmarshal'],
  ])('of a cluster of %s, as %s: %s', async (cluster, version, words) => {
    await born(cluster);
    const exit = await join(3, version);
    if (words === null) expect(exit).toBe(null);
    else expect(exit).toContain(words);
  });
});
