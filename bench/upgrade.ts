import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UPGRADE_LOCK_KEY } from '../src/core/upgrade-record.ts';
import type { EtcdAdmin } from '../src/etcd/admin.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import { imageWith } from '../test/e2e/upgrade-images.ts';
import { startRefresh } from '../test/e2e/upgrade-ways.ts';
import { startWriters } from '../test/e2e/writers.ts';
import { etcdBinary, temporaryDirectory } from '../test/tools.ts';
import { answers200, createGroup, type Group, ready, running, textOf, whole } from './group.ts';
import { createRecorder, type Life, onlyOf, type Recorder } from './measures.ts';
import { until } from './wait.ts';

const FROM = '3.4';
const TO = '3.5';

/** How often it is looked who holds the upgrade lock. */
const LOCK_LOOK_MS = 50;

/** A cluster whose instances are launched with what `environment` says at that moment. */
interface Upgraded extends Group {
  readonly environment: Record<string, string>;
  /** What the new image has, or what is configured in place. */
  readonly after: Readonly<Record<string, string>>;
}

type Way = 'images' | 'refresh' | 'place';

/** Upgrades a cluster by each way in turn, while clients write. */
export async function liveUpgrades(size: number, signal: AbortSignal): Promise<Life> {
  const recorder = createRecorder();
  await upgradeBy('images', size, recorder, replaceOneByOne, signal);
  await upgradeBy('refresh', size, recorder, refreshAll, signal);
  await upgradeBy('place', size, recorder, restartOneByOne, signal);
  return onlyOf('upgrade', recorder);
}

async function upgradeBy(
  way: Way,
  size: number,
  recorder: Recorder,
  act: (group: Upgraded) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const images = stack.use(await temporaryDirectory());
  const environment: Record<string, string> = {
    ETCD_DIR: await imageWith(join(images.path, 'old'), way === 'place' ? [FROM, TO] : [FROM]),
    ETCD_VERSION: FROM,
  };
  const after = { ETCD_DIR: await imageWith(join(images.path, 'new'), [FROM, TO]), ETCD_VERSION: TO };
  const options = { hooks: way === 'refresh', environment };
  const group = await createGroup(await etcdBinary(FROM), size, stack, signal, options);
  await group.sandbox.start();
  await whole(group, 0);
  await ready(group);
  const { admin, errors } = countErrors(group.admin);
  const writers = startWriters(admin, () => running(group.sandbox).map(({ address }) => clientUrl(address)));
  const steps = watchLock(group);
  try {
    await until('writes', 0, async () => (writers.acknowledged() > 0 ? [] : ['none yet']), signal);
    writers.resetGap();
    const beganMs = performance.now();
    Object.assign(environment, after);
    await act({ ...group, environment, after });
    await until('all run it', beganMs, async () => await missingInVersions(group), signal);
    const total = await whole(group, beganMs);
    recorder.record(`upgrade.${way}`, total);
    if (way === 'place') recorder.record('upgrade.place-step', ...(await steps.end()));
    else recorder.record(`upgrade.${way}-member`, (total - (await bootsMs(group, beganMs))) / size);
    recorder.record(`upgrade.${way}-gap`, writers.longestGapMs());
    recorder.record(`upgrade.${way}-errors`, errors());
    await writers.stop();
    const lost = await Promise.all(running(group.sandbox).map((it) => writers.lostAt(clientUrl(it.address))));
    recorder.record(`upgrade.${way}-lost`, new Set(lost.flat()).size);
  } finally {
    await steps.end();
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

/** From the start of each successor's process until it answers; all of them together, in ms. */
async function bootsMs({ starts }: Group, sinceMs: number): Promise<number> {
  const boots = await Promise.all(starts.since(sinceMs).map((it) => it.answered));
  return boots.reduce((sum, ms) => sum + ms, 0);
}

async function missingInVersions({ sandbox, admin, signal }: Group): Promise<readonly string[]> {
  const told = await Promise.all(
    running(sandbox).map(({ address }) => admin.versions(clientUrl(address), signal)),
  );
  return told.flatMap((it) => {
    if (!it.known) return [it.reason];
    const { server, cluster } = it.value;
    const right = server.startsWith(`${TO}.`) && cluster.startsWith(`${TO}.`);
    return right ? [] : [`etcd ${server} in a cluster of ${cluster}`];
  });
}

async function replaceOneByOne(group: Upgraded): Promise<void> {
  for (const { instanceId } of running(group.sandbox)) {
    const endedMs = performance.now();
    group.sandbox.cloud.terminateInstance(instanceId);
    const successor = async (): Promise<readonly string[]> =>
      await Promise.resolve(group.starts.since(endedMs).length > 0 ? [] : ['none is started']);
    await until('a successor', endedMs, successor, group.signal);
    await whole(group, endedMs);
  }
}

async function refreshAll({ sandbox, signal }: Upgraded): Promise<void> {
  const since = sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
  await startRefresh(sandbox);
  const ended = async (): Promise<readonly string[]> => {
    const events = await Promise.resolve(sandbox.cloud.events.since(since));
    const isOver = events.some((it) => it.type === 'refresh' && it.fields['status'] === 'Successful');
    return isOver ? [] : ['it goes on'];
  };
  await until('the refresh ends', performance.now(), ended, signal);
}

async function restartOneByOne({ sandbox, after, signal }: Upgraded): Promise<void> {
  for (const { instanceId, address } of running(sandbox)) {
    sandbox.hypervisor.configure(instanceId, after);
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

/** Notes how long each holder has the upgrade lock. */
function watchLock({ sandbox, admin, signal }: Group): { readonly end: () => Promise<readonly number[]> } {
  const over = new AbortController();
  const spans: { readonly key: string; readonly fromMs: number; toMs: number }[] = [];
  const look = async (): Promise<void> => {
    while (!over.signal.aborted && !signal.aborted) {
      const asked = performance.now();
      const answers = await Promise.all(
        running(sandbox).map(({ address }) =>
          admin.read(clientUrl(address), UPGRADE_LOCK_KEY, { serializable: true }, signal),
        ),
      );
      const held = answers.flatMap((it) => (it.known && it.value !== null ? [it.value] : []))[0];
      const last = spans.at(-1);
      if (held !== undefined && last?.key === held.createRevision) last.toMs = performance.now();
      else if (held !== undefined)
        spans.push({ key: held.createRevision, fromMs: asked, toMs: performance.now() });
      await delay(LOCK_LOOK_MS);
    }
  };
  const looking = look();
  return {
    end: async () => {
      over.abort();
      await looking;
      return spans.map(({ fromMs, toMs }) => toMs - fromMs);
    },
  };
}
