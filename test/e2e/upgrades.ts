import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { clientUrl } from '../../src/etcd/flags.ts';
import { etcdBinary } from '../tools.ts';
import type { Fleet } from './harness.ts';

const calm = new AbortController().signal;

/** What keeps the fleet from running this minor, member by member and as a cluster; empty where it does. */
export async function missingInVersions(fleet: Fleet, minor: string): Promise<readonly string[]> {
  const views = await fleet.view();
  const told = await Promise.all(
    views.map(async ({ instanceId, address }) => {
      const versions = await fleet.admin.versions(clientUrl(address), calm);
      if (!versions.known) return [`${instanceId}: ${versions.reason}`];
      const { server, cluster } = versions.value;
      return [
        ...(server.startsWith(`${minor}.`) ? [] : [`${instanceId} runs etcd ${server}`]),
        ...(cluster.startsWith(`${minor}.`) ? [] : [`${instanceId} sees cluster version ${cluster}`]),
      ];
    }),
  );
  return told.flat();
}

/** A folder with these minors, as an image would have it. */
export async function imageWith(directory: string, minors: readonly string[]): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const minor of minors) {
    const { etcd, version } = await etcdBinary(minor);
    await symlink(join(etcd, '..'), join(directory, version)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  }
  return directory;
}

/** As an operator does it in place: the variable is changed on every instance, and every appliance restarted, one by one. */
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
