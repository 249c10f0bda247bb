import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, type TestContext } from 'vitest';
import { UPGRADE_LOCK_TTL_SECONDS } from '../../src/core/numbers.ts';
import { UPGRADE_LOCK_KEY } from '../../src/core/upgrade-record.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { etcdBinary } from '../tools.ts';
import { textOf } from './fields.ts';
import type { Fleet } from './harness.ts';
import { CLEARING, fleetOn, LOWERING, PLAIN } from './upgrade-crashes.ts';
import { loweredTo, lockHolder, order, recordOf, untilRuns, untilStepping, upgradedTo } from './upgrades.ts';
import type { View } from './view.ts';

/* Holders of the upgrade lock that are frozen for longer than their lease. */

/** How long it is watched that nothing is done. */
const WATCH_MS = 5_000;

/** Runs etcdctl against one member; gives what it printed. */
async function etcdctl({ address }: View, ...args: readonly string[]): Promise<string> {
  const { etcdctl: program } = await etcdBinary('3.7');
  const { stdout } = await execa(program, ['--endpoints', clientUrl(address), ...args]);
  return stdout;
}

/**
 * Who steps is frozen until its lease is over and another has the lock. When it thaws, it does nothing more: not to its etcd,
 * the record, or the names; until it has the lock anew. `end`: of the lease, by the hand of somebody who revokes it, or by
 * itself, a minute later.
 */
export async function holderFreezes(
  context: TestContext,
  moment: 'before-stop' | 'after-start' | 'clearing' | 'lowering',
  end: 'revoked' | 'expired',
): Promise<void> {
  const way = moment === 'clearing' ? CLEARING : moment === 'lowering' ? LOWERING : PLAIN;
  const fleet = await fleetOn(context, way);
  const { hypervisor, cloud } = fleet.sandbox;
  // Time to be frozen in, between the record of the step and the stop of etcd.
  const slow = moment === 'before-stop' ? fleet.fault({ service: 'route53', kind: 'hang' }) : null;
  await order(fleet, way.to);
  const { by } = await untilStepping(fleet);
  if (moment === 'after-start') await untilRuns(fleet, by, `${way.to}.`);
  if (moment === 'clearing')
    await fleet.until(`${by} clears its log`, async () => await whyNotClearing(fleet, by));
  if (moment === 'lowering')
    await fleet.until(`${by} lowers the cluster`, async () =>
      (await loweredTo(fleet)) === null ? [by] : [],
    );
  await hypervisor.freeze(by, 'appliance');
  if (end === 'revoked') await revokeLease(await anotherThan(fleet, by));
  else await untilExpired(fleet);
  await doesNothingMore(fleet, by, () => {
    if (slow !== null) cloud.faults.lift(slow.id);
  });
  await upgradedTo(fleet, way.to);
}

/** Another has the lock by now: who is frozen thaws, and does nothing until that one lets go of it. `freely`: what happens before. */
async function doesNothingMore(
  fleet: Fleet,
  by: string,
  freely: () => void = () => undefined,
): Promise<void> {
  const letGo = await takeLockByHand(await anotherThan(fleet, by));
  freely();
  const before = await footprint(fleet, by);
  await fleet.sandbox.hypervisor.thaw(by, 'appliance');
  await fleet.during(WATCH_MS, async () => {
    const now = await footprint(fleet, by);
    return now === before ? [] : [`before: ${before}`, `now: ${now}`];
  });
  await letGo();
}

async function anotherThan(fleet: Fleet, instanceId: string): Promise<View> {
  const other = (await fleet.view()).find((it) => it.instanceId !== instanceId);
  if (other === undefined) throw new Error('nobody else is there');
  return other;
}

/** Between the two starts of a clearing etcd runs with a snapshot count of ours. */
async function whyNotClearing(fleet: Fleet, instanceId: string): Promise<readonly string[]> {
  const { etcd } = await fleet.machine(instanceId);
  const line = etcd === null ? '' : await readFile(`/proc/${etcd.pid}/cmdline`, 'utf8').catch(() => '');
  return line.includes('--snapshot-count=3') ? [] : [line.replaceAll('\0', ' ')];
}

/** All that an upgrade could do: to the etcd of this instance, to the record and the lock, and to the names. */
async function footprint(fleet: Fleet, instanceId: string): Promise<string> {
  const changes = fleet.sandbox.cloud.events
    .since(0)
    .filter(({ type, fields }) => type === 'api-change' && textOf(fields, 'asking') === instanceId);
  const [{ etcd }, record, holder, lowered] = await Promise.all([
    fleet.machine(instanceId),
    recordOf(fleet),
    lockHolder(fleet),
    loweredTo(fleet),
  ]);
  return JSON.stringify({ pid: etcd?.pid, step: record?.step, holder, lowered, changes: changes.length });
}

/** Ends the lease of the lock's holder. */
async function revokeLease(through: View): Promise<void> {
  const held = await etcdctl(through, 'get', UPGRADE_LOCK_KEY, '-w', 'json');
  const lease = /"lease":(\d+)/.exec(held)?.[1];
  if (lease === undefined) throw new Error(`nobody holds the lock: ${held}`);
  await etcdctl(through, 'lease', 'revoke', BigInt(lease).toString(16));
}

/** Until etcd itself has ended the lease of the lock's holder, which nobody renews. */
async function untilExpired(fleet: Fleet): Promise<void> {
  const limitMs = 3 * UPGRADE_LOCK_TTL_SECONDS * 1000;
  const held = async (): Promise<readonly string[]> => [(await lockHolder(fleet)) ?? []].flat();
  await fleet.until('the lease is over', held, limitMs);
}

/** Holds the lock in the name of nobody; gives how to let go of it. */
async function takeLockByHand(through: View): Promise<() => Promise<unknown>> {
  await etcdctl(through, 'put', UPGRADE_LOCK_KEY, 'i-00000000000000000');
  return async () => await etcdctl(through, 'del', UPGRADE_LOCK_KEY);
}

/** What appliances load to freeze as they have seen that their lock is still theirs. */
const FREEZE_PRELOAD = fileURLToPath(new URL('freeze-preload.ts', import.meta.url));

/**
 * Who steps is frozen after its last look at the lock, before it acts: that look says that all is well, and only its own deadline
 * says that it was long ago. `look`: before it leaves the names, or before it stops etcd.
 */
export async function freezesAfterLook(context: TestContext, look: 'names' | 'stop'): Promise<void> {
  const fleet = await fleetOn(context, PLAIN, FREEZE_PRELOAD);
  const { stateDir } = fleet.sandbox.addresses;
  await writeFile(join(stateDir, 'freeze.txt'), look === 'names' ? '1' : '2');
  await order(fleet, PLAIN.to);
  let by = '';
  await fleet.until('somebody is frozen', async () => {
    by = await readFile(join(stateDir, 'frozen.txt'), 'utf8').catch(() => '');
    return by === '' ? ['nobody is'] : [];
  });
  expect((await recordOf(fleet))?.step?.by).toBe(by);
  await untilExpired(fleet);
  await doesNothingMore(fleet, by);
  await upgradedTo(fleet, PLAIN.to);
}
