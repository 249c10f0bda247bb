import type { AutoScalingGroup, DescribeAutoScalingGroupsCommandInput } from '@aws-sdk/client-auto-scaling';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { AutoScalingCalls } from './calls.ts';
import { STACK_TAG } from './identity.ts';
import { pagesOf } from './pages.ts';

/** A group with what Auto Scaling lists in it. */
export interface ListedGroup {
  readonly arn: string;
  readonly name: string;
  readonly desired: number;
  /** The stack's name from CloudFormation's tag; null without one. */
  readonly stack: string | null;
  readonly instances: readonly ListedInstance[];
}

/** An instance as its group lists it. */
export interface ListedInstance {
  readonly id: string;
  readonly zone: string;
  readonly lifecycle: string;
}

/** The groups that carry the stack's tag, all pages. */
export async function groupsOfStack(
  autoScaling: AutoScalingCalls,
  region: string,
  stack: string,
  signal: AbortSignal,
): Promise<Known<readonly ListedGroup[]>> {
  const filters = [{ Name: `tag:${STACK_TAG}`, Values: [stack] }];
  const groups = await describeGroups(autoScaling, region, { Filters: filters }, signal);
  // A filter may know wildcards: only the exact name is ours.
  return groups.known ? known(groups.value.filter((group) => group.stack === stack)) : groups;
}

/** One group by its name; null where Auto Scaling does not know it. */
export async function groupByName(
  autoScaling: AutoScalingCalls,
  region: string,
  name: string,
  signal: AbortSignal,
): Promise<Known<ListedGroup | null>> {
  const groups = await describeGroups(autoScaling, region, { AutoScalingGroupNames: [name] }, signal);
  return groups.known ? known(groups.value.find((group) => group.name === name) ?? null) : groups;
}

async function describeGroups(
  autoScaling: AutoScalingCalls,
  region: string,
  question: DescribeAutoScalingGroupsCommandInput,
  signal: AbortSignal,
): Promise<Known<readonly ListedGroup[]>> {
  const found: ListedGroup[] = [];
  const pages = pagesOf(
    `Auto Scaling in ${region}`,
    async (start) => await autoScaling.describeAutoScalingGroups({ ...question, ...start }, signal),
    signal,
  );
  for await (const page of pages) {
    if (!page.known) return page;
    for (const group of page.value.AutoScalingGroups ?? []) {
      const listed = listedGroup(group);
      if (listed === null) return unknown(`Auto Scaling in ${region} describes a group incompletely`);
      found.push(listed);
    }
  }
  return known(found);
}

/** The SDK reads a number that is none as NaN. */
function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0;
}

/** Null where a field is missing that every group and instance has. */
function listedGroup(group: AutoScalingGroup): ListedGroup | null {
  const { AutoScalingGroupARN: arn, AutoScalingGroupName: name, DesiredCapacity: desired } = group;
  if (arn === undefined || name === undefined || !isCount(desired)) return null;
  const instances: ListedInstance[] = [];
  for (const { InstanceId: id, AvailabilityZone: zone, LifecycleState: lifecycle } of group.Instances ?? []) {
    if (id === undefined || zone === undefined || lifecycle === undefined) return null;
    instances.push({ id, zone, lifecycle });
  }
  const stack = group.Tags?.find((tag) => tag.Key === STACK_TAG)?.Value ?? null;
  return { arn, name, desired, stack, instances };
}
