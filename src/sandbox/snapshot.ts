import type { CloudSnapshot, GroupSnapshot, InstanceSnapshot, SecurityGroupSnapshot } from './model.ts';
import { sourceText } from './security-groups.ts';
import type { Group, RegionWorld, SecurityGroup, World } from './world.ts';
import { sortedRecords, sortedZones } from './zones.ts';

function groupSnapshot(region: string, group: Group): GroupSnapshot {
  const { name, arn, stackName, min, max, desired, zones, hooks } = group;
  const instances = group.members.map((it) => it.instanceId);
  return { region, name, arn, stackName, min, max, desired, zones, hooks, instances };
}

function instanceSnapshots(region: string, { instances, groups }: RegionWorld): readonly InstanceSnapshot[] {
  return [...instances.values()].map((instance): InstanceSnapshot => {
    const member = groups.get(instance.groupName)?.members.find((it) => it.instanceId === instance.id);
    return {
      region,
      instanceId: instance.id,
      groupName: instance.groupName,
      zone: instance.zone,
      address: instance.address,
      publicAddress: instance.publicAddress,
      state: instance.state,
      lifecycleState: member?.lifecycle ?? null,
      health: member?.health ?? 'Healthy',
      launchedAtMs: instance.launchedAtMs,
    };
  });
}

function securityGroupSnapshot(region: string, { id, name, rules }: SecurityGroup): SecurityGroupSnapshot {
  return {
    region,
    id,
    name,
    rules: rules.map((rule) => ({
      id: rule.id,
      protocol: rule.protocol,
      fromPort: rule.fromPort,
      toPort: rule.toPort,
      from: sourceText(rule),
      description: rule.description,
    })),
  };
}

/** All that a world holds, as plain JSON, region by region in the order in which something came to be there. */
export function snapshotWorld(
  world: World,
): Pick<CloudSnapshot, 'instances' | 'groups' | 'securityGroups' | 'zones'> {
  const regions = [...world.regions];
  return {
    instances: regions.flatMap(([name, region]) => instanceSnapshots(name, region)),
    groups: regions.flatMap(([name, { groups }]) =>
      [...groups.values()].map((group) => groupSnapshot(name, group)),
    ),
    securityGroups: regions.flatMap(([name, { securityGroups }]) =>
      [...securityGroups.values()].map((group) => securityGroupSnapshot(name, group)),
    ),
    zones: sortedZones(world).map((zone) => ({
      id: zone.id,
      name: zone.name,
      private: zone.private,
      records: sortedRecords(zone),
    })),
  };
}
