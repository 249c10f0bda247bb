import { join } from 'node:path';
import type { EtcdAdmin } from '../src/etcd/admin.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import { imageWith } from '../test/e2e/upgrade-images.ts';
import { startRefresh } from '../test/e2e/upgrade-ways.ts';
import { startWriters } from '../test/e2e/writers.ts';
import { etcdBinary, temporaryDirectory, TESTED_MINORS } from '../test/tools.ts';
import { answers200, createGroup, type Group, ready, running, textOf, whole } from './group.ts';
import { type Life, onlyOf } from './measures.ts';
import { untilLockIsFree, watchLock } from './upgrade-lock.ts';
import { PLACE_EDGES, type PlaceEdge, type Way } from './upgrade-measures.ts';
import { until } from './wait.ts';

const FROM = '3.4';
const TO = '3.5';

/** A cluster that runs a minor, whose instances are launched with what `environment` says at that moment. */
interface Upgraded extends Group {
  readonly environment: Record<string, string>;
  /** Where new images are made. */
  readonly images: string;
}

/** Upgrades of a cluster under writes, by each way. */
export const WAYS: readonly (readonly [
  words: string,
  live: (size: number, signal: AbortSignal) => Promise<Life>,
])[] = [
  [
    'from 3.4 to 3.5 by images',
    (size, signal) => liveBy([FROM], { size, hooks: false }, signal, upgradeByImages),
  ],
  [
    'from 3.4 to 3.5 by a refresh',
    (size, signal) => liveBy([FROM], { size, hooks: true }, signal, upgradeByRefresh),
  ],
  [
    'from 3.4 to 3.7 in place',
    (size, signal) => liveBy(TESTED_MINORS, { size, hooks: false }, signal, upgradeInPlace),
  ],
];

/** Forms a cluster on the oldest minor, with these in its image, and has it upgraded. */
async function liveBy(
  minors: readonly string[],
  { size, hooks }: { readonly size: number; readonly hooks: boolean },
  signal: AbortSignal,
  act: (group: Upgraded) => Promise<void>,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const images = stack.use(await temporaryDirectory()).path;
  const environment: Record<string, string> = {
    ETCD_DIR: await imageWith(join(images, 'old'), minors),
    ETCD_VERSION: FROM,
  };
  const group = await createGroup(await etcdBinary(FROM), size, stack, signal, { hooks, environment });
  await group.sandbox.start();
  await whole(group, 0);
  await act({ ...group, environment, images });
  return onlyOf('upgrade', group.recorder);
}

/** Way (a): the members are replaced one after the other. */
async function upgradeByImages(group: Upgraded): Promise<void> {
  const { sandbox, starts, signal } = group;
  await throughNewImages(group, 'images', async () => {
    for (const { instanceId } of running(sandbox)) {
      const endedMs = performance.now();
      sandbox.cloud.terminateInstance(instanceId);
      const successor = async (): Promise<readonly string[]> =>
        await Promise.resolve(starts.since(endedMs).length > 0 ? [] : ['none is started']);
      await until('a successor', endedMs, successor, signal);
      await whole(group, endedMs);
    }
  });
}

/** Way (b): the group replaces them by itself. */
async function upgradeByRefresh(group: Upgraded): Promise<void> {
  const { sandbox, signal } = group;
  await throughNewImages(group, 'refresh', async () => {
    const since = sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
    await startRefresh(sandbox);
    const ended = async (): Promise<readonly string[]> => {
      const events = await Promise.resolve(sandbox.cloud.events.since(since));
      const isOver = events.some((it) => it.type === 'refresh' && it.fields['status'] === 'Successful');
      return isOver ? [] : ['it goes on'];
    };
    await until('the refresh ends', performance.now(), ended, signal);
  });
}

/**
 * Launches what has both minors in the place of all that is there. What a member took is told of all together: each is
 * replaced in its turn, and steps when the last has been.
 */
async function throughNewImages(
  group: Upgraded,
  way: 'images' | 'refresh',
  act: () => Promise<void>,
): Promise<void> {
  const { environment, images, recorder, size, starts } = group;
  environment['ETCD_DIR'] = await imageWith(join(images, 'new'), [FROM, TO]);
  environment['ETCD_VERSION'] = TO;
  const beganMs = performance.now();
  const total = await underWrites(group, way, TO, act);
  const boots = await Promise.all(starts.since(beganMs).map((it) => it.answered));
  const bootMs = boots.reduce((sum, ms) => sum + ms, 0);
  recorder.record(`upgrade.${way}-member`, (total - bootMs) / size);
}

/** Way (c), along every edge, each when the one before is over. */
async function upgradeInPlace(group: Upgraded): Promise<void> {
  await askHealth(group);
  for (const edge of PLACE_EDGES) await stepInPlace(group, edge);
}

/** Writes requests of the old API into every log, as monitoring of 3.4 does: 3.6 dies of them. */
async function askHealth({ sandbox, signal }: Group): Promise<void> {
  for (const { address } of running(sandbox)) {
    const response = await fetch(`${clientUrl(address)}/health`, { signal });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${address} is not healthy: ${response.status}`);
  }
}

async function stepInPlace(group: Upgraded, { to, makesWay }: PlaceEdge): Promise<void> {
  const { recorder, size } = group;
  const lock = watchLock(group);
  try {
    await underWrites(group, `place-${to}`, to, async () => await restartOneByOne(group, to));
    await untilLockIsFree(group);
    const spans = await lock.end();
    const steps = spans.get('step') ?? [];
    if (steps.length !== size) throw new Error(`${steps.length} steps to ${to} were seen under the lock`);
    recorder.record(`upgrade.place-${to}-step`, ...steps);
    if (makesWay === null) return;
    const made = spans.get(makesWay) ?? [];
    // Then this was another edge than the one that was to be measured.
    if (made.length === 0) throw new Error(`no ${makesWay} before the steps to ${to}`);
    const name = makesWay === 'clear' ? 'upgrade.place-3.6-clear' : 'upgrade.place-3.7-snapshot';
    recorder.record(name, ...made);
  } finally {
    await lock.end();
  }
}

/** Measures what clients see of an upgrade; gives how long it took, until all run the minor and are whole, in ms. */
async function underWrites(group: Upgraded, way: Way, to: string, act: () => Promise<void>): Promise<number> {
  const { recorder, sandbox, signal } = group;
  await ready(group);
  const { admin, errors } = countErrors(group.admin);
  const writers = startWriters(admin, () => running(sandbox).map(({ address }) => clientUrl(address)));
  try {
    await until('writes', 0, async () => (writers.acknowledged() > 0 ? [] : ['none yet']), signal);
    writers.resetGap();
    const beganMs = performance.now();
    await act();
    await until(`all run ${to}`, beganMs, async () => await missingInVersions(group, to), signal);
    const total = await whole(group, beganMs);
    recorder.record(`upgrade.${way}`, total);
    recorder.record(`upgrade.${way}-gap`, writers.longestGapMs());
    recorder.record(`upgrade.${way}-errors`, errors());
    await writers.stop();
    const lost = await Promise.all(running(sandbox).map((it) => writers.lostAt(clientUrl(it.address))));
    recorder.record(`upgrade.${way}-lost`, new Set(lost.flat()).size);
    return total;
  } finally {
    await writers.stop();
  }
}

/** The same client, whose writes without an acknowledgement are counted. */
function countErrors(admin: EtcdAdmin): { readonly admin: EtcdAdmin; readonly errors: () => number } {
  let errors = 0;
  const put: EtcdAdmin['put'] = async (...args) => {
    const answer = await admin.put(...args);
    if (!answer.known || !answer.value) errors += 1;
    return answer;
  };
  return { admin: { ...admin, put }, errors: () => errors };
}

async function missingInVersions({ sandbox, admin, signal }: Group, to: string): Promise<readonly string[]> {
  const told = await Promise.all(
    running(sandbox).map(({ address }) => admin.versions(clientUrl(address), signal)),
  );
  return told.flatMap((it) => {
    if (!it.known) return [it.reason];
    const { server, cluster } = it.value;
    const right = server.startsWith(`${to}.`) && cluster.startsWith(`${to}.`);
    return right ? [] : [`etcd ${server} in a cluster of ${cluster}`];
  });
}

async function restartOneByOne({ sandbox, signal }: Group, to: string): Promise<void> {
  for (const { instanceId, address } of running(sandbox)) {
    sandbox.hypervisor.configure(instanceId, { ETCD_VERSION: to });
    let started = false;
    const cancel = sandbox.cloud.events.subscribe(({ type, fields }) => {
      started ||= type === 'process-start' && textOf(fields['instanceId']) === instanceId;
    });
    await sandbox.hypervisor.restart(instanceId);
    const back = async (): Promise<readonly string[]> =>
      started && (await answers200(address, 'readyz')) ? [] : [`${instanceId} is not ready`];
    await until('the appliance is back', performance.now(), back, signal);
    cancel();
  }
}
