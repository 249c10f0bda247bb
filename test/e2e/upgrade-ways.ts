import { AutoScalingClient, StartInstanceRefreshCommand } from '@aws-sdk/client-auto-scaling';
import { clientUrl } from '../../src/etcd/flags.ts';
import { OPERATOR_ACCESS_KEY } from '../../src/sandbox/caller.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import type { Fleet } from './harness.ts';
import { textOf } from './fields.ts';
import type { UpgradeFleet } from './upgrades.ts';

const calm = new AbortController().signal;

/** Way (a): instances are terminated one after the other, and their successors have what is launched now. */
export async function replaceOneByOne(fleet: UpgradeFleet, haste: 'whole' | 'voter'): Promise<void> {
  for (const { instanceId } of await fleet.view()) {
    const before = ids(fleet);
    fleet.sandbox.cloud.terminateInstance(instanceId);
    if (haste === 'whole') await fleet.whole(fleet.size);
    else await untilSuccessorVotes(fleet, before);
  }
  await fleet.whole(fleet.size);
}

function ids({ sandbox }: Fleet): readonly string[] {
  return sandbox.cloud
    .describe()
    .instances.filter(({ state }) => state === 'running')
    .map(({ instanceId }) => instanceId);
}

/** Until an instance that was not there before is a voter, whatever else is under way. */
async function untilSuccessorVotes(fleet: UpgradeFleet, before: readonly string[]): Promise<void> {
  await fleet.until('the successor is a voter', async () => {
    const views = (await fleet.view()).filter(({ instanceId }) => !before.includes(instanceId));
    return views.some(({ status }) => status?.learner === false) ? [] : ['it is not'];
  });
}

/** Way (b): the group replaces its instances by itself, held back by the launching hook. */
export async function refresh(
  fleet: UpgradeFleet,
  order: RefreshOrder = 'new-first',
  limitMs = 240_000,
): Promise<void> {
  const { sandbox, until } = fleet;
  const since = sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
  await startRefresh(sandbox, order);
  await until(
    'the refresh ends',
    async () => {
      await Promise.resolve();
      const seen = sandbox.cloud.events.since(since).filter(({ type }) => type === 'refresh');
      const last = seen.at(-1);
      return last !== undefined && textOf(last.fields, 'status') === 'Successful'
        ? []
        : [`${last === undefined ? 'it has not begun' : textOf(last.fields, 'left')} left`];
    },
    limitMs,
  );
}

/** Whether an instance is launched before the one that it replaces is terminated, or after. */
export type RefreshOrder = 'new-first' | 'old-first';

const HEALTHY = {
  'new-first': { MinHealthyPercentage: 100, MaxHealthyPercentage: 110 },
  'old-first': { MinHealthyPercentage: 60, MaxHealthyPercentage: 100 },
} as const satisfies Readonly<Record<RefreshOrder, object>>;

/** As an operator starts it: one instance at a time. */
export async function startRefresh({ addresses }: Sandbox, order: RefreshOrder = 'new-first'): Promise<void> {
  const client = new AutoScalingClient({
    endpoint: addresses.aws,
    region: 'eu-central-1',
    credentials: { accessKeyId: OPERATOR_ACCESS_KEY, secretAccessKey: 'any' },
  });
  await client.send(
    new StartInstanceRefreshCommand({
      AutoScalingGroupName: addresses.group,
      Preferences: { ...HEALTHY[order], InstanceWarmup: 0 },
    }),
  );
  client.destroy();
}

/**
 * What each launching hook was completed with: the version that the instance ran at that moment. To be called before the
 * launches that are meant: of who is there already, the hook may still be held.
 */
export function watchLaunches(
  fleet: Fleet,
): () => Promise<readonly { instanceId: string; version: string }[]> {
  const seen: Promise<{ instanceId: string; version: string }>[] = [];
  const before = new Set(fleet.sandbox.cloud.describe().instances.map((it) => it.instanceId));
  fleet.sandbox.cloud.events.subscribe(({ type, fields }) => {
    if (type !== 'hook-ended' || textOf(fields, 'hook') !== 'launching') return;
    const instanceId = textOf(fields, 'instanceId');
    if (before.has(instanceId)) return;
    const address = fleet.sandbox.cloud
      .describe()
      .instances.find((it) => it.instanceId === instanceId)?.address;
    seen.push(
      fleet.admin
        .versions(clientUrl(address ?? ''), calm)
        .then((it) => ({ instanceId, version: it.known ? it.value.server : it.reason })),
    );
  });
  return async () => await Promise.all(seen);
}

/** Way (c), as an operator does it: the variables are changed on every instance, and every appliance restarted, one by one. */
export async function configureInPlace(
  fleet: Fleet,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const { hypervisor } = fleet.sandbox;
  for (const { instanceId } of await fleet.view()) {
    const { starts } = await fleet.machine(instanceId);
    hypervisor.configure(instanceId, variables);
    await hypervisor.restart(instanceId);
    await fleet.until('the appliance is back, and serves', async () => {
      const [machine, views] = [await fleet.machine(instanceId), await fleet.view()];
      if (machine.starts === starts) return ['it has not been started again'];
      const notReady = views.find((it) => it.instanceId === instanceId)?.notReady ?? 'it is not there';
      return views.find((it) => it.instanceId === instanceId)?.notReady === null ? [] : [notReady];
    });
  }
}
