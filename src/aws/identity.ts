import type { Self } from '../core/fleet.ts';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import { ApplianceError } from '../errors.ts';
import type { AutoScalingCalls, Ec2Calls } from './calls.ts';
import { ask } from './failure.ts';
import { describeInstances } from './instances.ts';
import type { InstanceIdentity } from './metadata.ts';

/** The tags that AWS itself puts on instances; a user cannot. */
export const STACK_TAG = 'aws:cloudformation:stack-name';
export const GROUP_TAG = 'aws:autoscaling:groupName';

/** Who the appliance is, and the Auto Scaling group that it is in. */
export interface Place {
  readonly self: Self;
  /** Name of the group; null where the instance is in none. */
  readonly group: string | null;
  readonly stackFrom: 'tag' | 'configuration';
}

/**
 * Finds the own place: the stack's name from CloudFormation's tag, else as configured (`configuredStack`, null where
 * it is not), the group from its tag, else as Auto Scaling says. Throws a configuration error naming STACK_NAME where
 * there is neither tag nor configuration.
 */
export async function findPlace(
  identity: InstanceIdentity,
  configuredStack: string | null,
  calls: { readonly ec2: Ec2Calls; readonly autoScaling: AutoScalingCalls },
  signal: AbortSignal,
): Promise<Known<Place>> {
  const { instanceId: id, region, zone, address } = identity;
  const described = await describeInstances(calls.ec2, region, [id], id, signal);
  if (!described.known) return described;
  const tags: ReadonlyMap<string, string> = described.value.get(id)?.tags ?? new Map();
  const tagged = tags.get(STACK_TAG);
  const stack = tagged ?? configuredStack;
  if (stack === null) {
    throw new ApplianceError(
      {
        code: 'configuration',
        problems: [`STACK_NAME: missing, and instance ${id} has no tag ${STACK_TAG}`],
      },
      `instance ${id} has no tag ${STACK_TAG}: set STACK_NAME to the name that its instances share`,
    );
  }
  const group = await groupOf(tags, id, region, calls.autoScaling, signal);
  if (!group.known) return group;
  return known({
    self: { id, region, zone, address, stack },
    group: group.value,
    stackFrom: tagged === undefined ? 'configuration' : 'tag',
  });
}

async function groupOf(
  tags: ReadonlyMap<string, string>,
  id: string,
  region: string,
  autoScaling: AutoScalingCalls,
  signal: AbortSignal,
): Promise<Known<string | null>> {
  const tagged = tags.get(GROUP_TAG);
  if (tagged !== undefined) return known(tagged);
  const answer = await ask(`Auto Scaling in ${region}`, signal, () =>
    autoScaling.describeAutoScalingInstances({ InstanceIds: [id] }, signal),
  );
  if (!answer.known) return answer;
  const own = (answer.value.AutoScalingInstances ?? []).find((instance) => instance.InstanceId === id);
  if (own === undefined) return known(null);
  return own.AutoScalingGroupName === undefined
    ? unknown(`Auto Scaling in ${region} names no group for ${id}`)
    : known(own.AutoScalingGroupName);
}
