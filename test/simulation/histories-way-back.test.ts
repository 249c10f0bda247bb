import { describe, expect, it } from 'vitest';
import { decodeRecord, UPGRADE_PREFIX } from '../../src/core/upgrade-record.ts';
import type { BinaryFault } from '../fakes/etcd/world.ts';
import { formed, type History } from './history.ts';
import type { Machine } from './world/machine.ts';
import { CLUSTER } from './world/names.ts';
import { present } from './world/world.ts';

/*
 * Steps whose new etcd does not come up, and whose appliance does not live to take them back.
 */

const MINUTE_MS = 60_000;
const FROM = '3.5.35';
const TO = '3.6.16';

/** A fleet that steps to an etcd that does not come up; the member that steps has just stopped its own. */
async function stepping(
  desired: number,
  fault: BinaryFault | null,
  seed = 31,
): Promise<{ readonly history: History; readonly holder: Machine }> {
  const image = { installed: [FROM, TO], wanted: '3.5' };
  const history = await formed({ seed, desired, image, restMs: 1_000 });
  const { world } = history;
  for (const it of present(world)) if (fault !== null) it.image.bad.set(TO, fault);
  let holder: Machine | null = null;
  world.onStep.add((it) => (holder = it));
  history.faulted(10 * MINUTE_MS);
  await history.happens({ kind: 'order', what: 'to', to: '3.6', rings: true });
  // Of two, one waits for a third first.
  await history.waitFor('a step', () => holder !== null, 2 * MINUTE_MS);
  if (holder === null) throw new Error('nobody steps');
  return { history, holder };
}

function runs({ world }: History, { address }: Machine): string {
  return world.etcd.processAt(address)?.version ?? 'nothing';
}

function starts(history: History, { id }: Machine): number {
  return history.said(id).split('acted start-etcd').length - 1;
}

async function killAppliance(history: History, holder: Machine): Promise<void> {
  await history.happens({ kind: 'kill', what: 'appliance' }, holder);
}

function failureOf({ world }: History): string {
  const [cluster] = [...world.etcd.clusters.values()];
  const record = cluster === undefined ? null : decodeRecord(cluster.readPrefix(UPGRADE_PREFIX));
  return record?.known === true ? (record.value.failed?.why ?? '') : '';
}

/** It runs what it ran, that is recorded, and nothing is left over. */
async function isTakenBack(history: History, holder: Machine, limitMs: number): Promise<void> {
  await history.waitFor('the step is taken back', () => failureOf(history) !== '', limitMs);
  expect(failureOf(history)).toContain(`etcd ${FROM} runs again`);
  expect(runs(history, holder)).toBe(FROM);
  // Long before somebody looks at the records without a cause.
  await history.waitFor('clients find it', () => isNamed(history, holder), 15_000);
  await history.settled(10 * MINUTE_MS);
  expect(runs(history, holder)).toBe(FROM);
}

function isNamed({ world }: History, { address }: Machine): boolean {
  return world.zone.records().some((it) => it.name === CLUSTER && it.values.includes(address));
}

describe.each([1, 2, 3])('of %i, one steps to an etcd', (desired) => {
  it('that ends at its start: it goes back', async () => {
    const { history, holder } = await stepping(desired, 'crashes');
    await isTakenBack(history, holder, MINUTE_MS);
  });

  it('that calls its data unreadable: it goes back, and they stay', async () => {
    const { history, holder } = await stepping(desired, 'unreadable');
    await isTakenBack(history, holder, MINUTE_MS);
    expect(holder.disk.aside).toEqual([]);
  });

  it('that calls its data unreadable, and its appliance ends: its next life goes back, and they stay', async () => {
    const { history, holder } = await stepping(desired, 'unreadable');
    const before = starts(history, holder);
    await history.waitFor('the new etcd is started', () => starts(history, holder) > before, MINUTE_MS);
    await killAppliance(history, holder);
    await isTakenBack(history, holder, 3 * MINUTE_MS);
    expect(holder.disk.aside).toEqual([]);
  });

  it('that ends at its start, and so does its appliance: its next life goes back', async () => {
    const { history, holder } = await stepping(desired, 'crashes');
    const before = starts(history, holder);
    await history.waitFor('the new etcd is started', () => starts(history, holder) > before, MINUTE_MS);
    await killAppliance(history, holder);
    await isTakenBack(history, holder, 3 * MINUTE_MS);
  });

  it('that hangs: it goes back when the time of a step is over', async () => {
    const { history, holder } = await stepping(desired, 'mute');
    await isTakenBack(history, holder, 3 * MINUTE_MS);
  });

  it('that hangs, and its appliance ends: its next life goes back when the time of a step is over', async () => {
    const { history, holder } = await stepping(desired, 'mute');
    await history.waitFor('the new etcd is started', () => runs(history, holder) === TO, MINUTE_MS);
    await killAppliance(history, holder);
    await isTakenBack(history, holder, 4 * MINUTE_MS);
  });

  it('that ends at its start; the appliance ends as it has gone back: its next life says that it did', async () => {
    const { history, holder } = await stepping(desired, 'crashes');
    await history.waitFor('the new etcd is started', () => runs(history, holder) === TO, MINUTE_MS);
    await history.waitFor('the old one is', () => runs(history, holder) === FROM, 2 * MINUTE_MS);
    await killAppliance(history, holder);
    await history.waitFor('that is said', () => failureOf(history) !== '', 3 * MINUTE_MS);
    await history.settled(10 * MINUTE_MS);
    expect(runs(history, holder)).toBe(FROM);
  });
});

describe('the only member steps to an etcd that raises the version, and then ends at each start', () => {
  /** In which etcd raises the version before the step is over. */
  const SOON_RAISED = 32;

  /** In the middle of the step, after which etcd takes no older one. */
  async function raised(): Promise<{ readonly history: History; readonly holder: Machine }> {
    const { history, holder } = await stepping(1, null, SOON_RAISED);
    const [cluster] = [...history.world.etcd.clusters.values()];
    await history.waitFor('it is raised', () => cluster?.state.clusterVersion === '3.6.0', MINUTE_MS);
    expect(history.said(holder.id)).not.toContain('upgrade-stepped');
    holder.image.bad.set(TO, 'crashes');
    await history.happens({ kind: 'kill', what: 'etcd' }, holder);
    return { history, holder };
  }

  async function isSaid(history: History, holder: Machine): Promise<void> {
    const said = (): string => holder.process?.appliance.state.upgrade?.action.reason.sentence ?? '';
    await history.waitFor(
      'it is said',
      () => said().includes('there is no way back to 3.5.35'),
      3 * MINUTE_MS,
    );
    await history.pass(MINUTE_MS);
    expect(said()).toContain('put another patch of 3.6 in its place in ETCD_DIR');
    expect(holder.disk.identity?.version).toBe(TO);
    holder.image.bad.clear();
    await history.settled(10 * MINUTE_MS);
    expect(runs(history, holder)).toBe(TO);
  }

  it('that is said, and it goes on as soon as the etcd is mended', async () => {
    const { history, holder } = await raised();
    await isSaid(history, holder);
  });

  it('and so does its appliance: its next life says so', async () => {
    const { history, holder } = await raised();
    await killAppliance(history, holder);
    await isSaid(history, holder);
  });
});
