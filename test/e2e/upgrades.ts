import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { UpgradeRecord } from '../../src/core/upgrade.ts';
import {
  decodeRecord,
  UPGRADE_KEYS,
  UPGRADE_LOCK_KEY,
  UPGRADE_PREFIX,
} from '../../src/core/upgrade-record.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { ETCD_DIRECTORY, temporaryDirectory } from '../tools.ts';
import { type Fleet, type FleetOptions, fleetForTest } from './harness.ts';
import { type ImagePart, imageWith } from './upgrade-images.ts';
import type { View } from './view.ts';

const calm = new AbortController().signal;

/**
 * No upgrade of several members is an outage, whatever fails beside it. How short the gap is says the bench (0.5 s); this is
 * beyond several elections on a machine that is busy, and below what a lost quorum would take to come back by the appliance's
 * own limits: the lock's lease (60 s), and the time that a step has (2 min).
 */
const LONGEST_GAP_MS = 30_000;

/** A fleet whose launch template changes: images are folders of etcds, as `ETCD_DIR` names them. */
export interface UpgradeFleet extends Fleet {
  readonly size: number;
  /** What the first instances have. */
  readonly firstImage: string;
  /** From now on, instances are launched with these variables. */
  readonly launchWith: (variables: Readonly<Record<string, string>>) => void;
  /** A new folder with these etcds. */
  readonly image: (contents: readonly ImagePart[]) => Promise<string>;
}

export interface UpgradeFleetOptions extends Omit<FleetOptions, 'environment'> {
  /** `ETCD_VERSION` at first. */
  readonly from: string;
  /** What the first image has; all minors unless given. */
  readonly image?: readonly ImagePart[];
}

/** A whole fleet that runs a minor. */
export async function upgradeFleet(
  context: TestContext,
  { from, image: contents, ...options }: UpgradeFleetOptions,
): Promise<UpgradeFleet> {
  const images = await temporaryDirectory();
  context.onTestFinished(async () => images[Symbol.asyncDispose]());
  let made = 0;
  const image = async (parts: readonly ImagePart[]): Promise<string> => {
    made += 1;
    return await imageWith(join(images.path, String(made)), parts);
  };
  const firstImage = contents === undefined ? ETCD_DIRECTORY : await image(contents);
  const environment: Record<string, string> = { ETCD_VERSION: from, ETCD_DIR: firstImage };
  const fleet = await fleetForTest(context, { ...options, environment });
  await fleet.whole(options.size);
  await untilAllRun(fleet, from);
  fleet.writers.resetGap();
  const launchWith = (variables: Readonly<Record<string, string>>): void =>
    void Object.assign(environment, variables);
  return { ...fleet, size: options.size, firstImage, launchWith, image };
}

/** Until every member runs this minor (or version), and the cluster says so. */
export async function untilAllRun(fleet: Fleet, wanted: string, limitMs?: number): Promise<void> {
  await fleet.until(`all run ${wanted}`, async () => await missingInVersions(fleet, wanted), limitMs);
}

/** What keeps the fleet from running this minor (or version), member by member and as a cluster; empty where it does. */
export async function missingInVersions(fleet: Fleet, wanted: string): Promise<readonly string[]> {
  const minor = wanted.split('.').slice(0, 2).join('.');
  const views = await fleet.view();
  const told = await Promise.all(
    views.map(async ({ instanceId, address }) => {
      const versions = await fleet.admin.versions(clientUrl(address), calm);
      if (!versions.known) return [`${instanceId}: ${versions.reason}`];
      const { server, cluster } = versions.value;
      return [
        ...(server === wanted || server.startsWith(`${wanted}.`)
          ? []
          : [`${instanceId} runs etcd ${server}`]),
        ...(cluster.startsWith(`${minor}.`) ? [] : [`${instanceId} sees cluster version ${cluster}`]),
      ];
    }),
  );
  return told.flat();
}

/** What is seen of an instance that must be there. */
export async function viewOf(fleet: Fleet, instanceId: string): Promise<View> {
  const view = (await fleet.view()).find((it) => it.instanceId === instanceId);
  if (view === undefined) throw new Error(`${instanceId} is not there`);
  return view;
}

/** Until this instance's etcd says that it is of a version that begins so. */
export async function untilRuns(fleet: Fleet, instanceId: string, version: string): Promise<void> {
  await fleet.until(`${instanceId} runs ${version}`, async () => {
    const { status } = await viewOf(fleet, instanceId);
    return status?.version.startsWith(version) === true ? [] : [status?.version ?? 'nothing'];
  });
}

/** Where a downgrade that is under way leads; null: none is, or nobody says so. */
export async function loweredTo(fleet: Fleet): Promise<string | null> {
  const told = await Promise.all(
    (await fleet.view()).map(async ({ address }) => await fleet.admin.versions(clientUrl(address), calm)),
  );
  return told.map((it) => (it.known ? it.value.downgradeTarget : null)).find((it) => it !== null) ?? null;
}

/** The record of the upgrade, through any member that answers; null: none does, or it cannot be read. */
export async function recordOf(fleet: Fleet): Promise<UpgradeRecord | null> {
  for (const { address } of await fleet.view()) {
    const keys = await fleet.admin.readPrefix(clientUrl(address), UPGRADE_PREFIX, calm);
    if (!keys.known) continue;
    const record = decodeRecord(keys.value);
    return record.known ? record.value : null;
  }
  return null;
}

/** Who holds the upgrade lock; null: nobody, or nobody answers. */
export async function lockHolder(fleet: Fleet): Promise<string | null> {
  for (const { address } of await fleet.view()) {
    const lock = await fleet.admin.read(clientUrl(address), UPGRADE_LOCK_KEY, { serializable: false }, calm);
    if (lock.known) return lock.value?.value ?? null;
  }
  return null;
}

/** Until a step is recorded; gives who steps. */
export async function untilStepping(
  fleet: Fleet,
  limitMs?: number,
): Promise<NonNullable<UpgradeRecord['step']>> {
  let step: UpgradeRecord['step'] = null;
  await fleet.until(
    'somebody steps',
    async () => {
      step = (await recordOf(fleet))?.step ?? null;
      return step === null ? ['nobody does'] : [];
    },
    limitMs,
  );
  if (step === null) throw new Error('nobody steps');
  return step;
}

/** As an operator does it: a version or a minor that all aim at; null: each its own again. */
export async function order(fleet: Fleet, to: string | null, through?: string): Promise<void> {
  await write(fleet, UPGRADE_KEYS.to, to === null ? '' : JSON.stringify(to), through);
}

/** An operator resumes an upgrade of which a step was taken back. */
export async function resume(fleet: Fleet): Promise<void> {
  await write(fleet, UPGRADE_KEYS.failed, '');
}

/** Writes it through this member, or, where its etcd is stopped for a step just then, through another. */
async function write(fleet: Fleet, key: string, value: string, through?: string): Promise<void> {
  const all = (await fleet.view()).map(({ address }) => address);
  const addresses = through === undefined ? all : [through, ...all.filter((it) => it !== through)];
  await fleet.until(`${key} is written`, async () => {
    const reasons: string[] = [];
    for (const address of addresses) {
      const put = await fleet.admin.put(clientUrl(address), key, value, {}, calm);
      if (put.known) return [];
      reasons.push(put.reason);
    }
    return reasons;
  });
  await ring(fleet);
}

/** Has every appliance look at once. One that does not hear it looks by itself, a little later. */
async function ring({ sandbox }: Fleet): Promise<void> {
  const instances = sandbox.cloud.describe().instances.filter(({ state }) => state === 'running');
  await Promise.allSettled(
    instances.map(async ({ address }) => {
      const response = await fetch(`http://${address}:2378/upgrade?fresh=1`, {
        signal: AbortSignal.timeout(2_000),
      });
      await response.body?.cancel();
    }),
  );
}

/** What each appliance says on /upgrade of what is next, one sentence each. */
export async function sentences(fleet: Fleet): Promise<readonly string[]> {
  const views = await fleet.view();
  return await Promise.all(
    views.map(async ({ address }) => {
      const response = await fetch(`http://${address}:2378/upgrade`, { signal: AbortSignal.timeout(5_000) });
      return await response.text();
    }),
  );
}

/** Until some appliance says so on /upgrade. */
export async function untilSaid(fleet: Fleet, words: string, limitMs?: number): Promise<void> {
  await fleet.until(
    `somebody says "${words}"`,
    async () => {
      const all = await sentences(fleet).catch((error: unknown) => [String(error)]);
      return all.some((it) => it.includes(words)) ? [] : all;
    },
    limitMs,
  );
}

/** Until all run it and all is whole; and no write was lost on the way, none had to wait for long, and no register went back. */
export async function upgradedTo(fleet: UpgradeFleet, wanted: string, limitMs = 240_000): Promise<void> {
  await untilAllRun(fleet, wanted, limitMs);
  await fleet.whole(fleet.size, limitMs);
  await fleet.writesGoOn();
  // Who is alone, or one of two, cannot restart without one.
  if (fleet.size > 2) expect(fleet.writers.longestGapMs()).toBeLessThan(LONGEST_GAP_MS);
  await fleet.verify({ joinersBeginAgain: true });
}
