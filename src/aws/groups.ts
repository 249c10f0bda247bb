import type { AutoScalingGroup, DescribeAutoScalingGroupsCommandInput } from '@aws-sdk/client-auto-scaling';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { AutoScalingCalls } from './calls.ts';
import { ask } from './failure.ts';
import { STACK_TAG } from './identity.ts';

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

const MOST_PAGES = 100;

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
  let token: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const input = { ...question, ...(token !== undefined && { NextToken: token }) };
    const answer = await ask(`Auto Scaling in ${region}`, signal, () =>
      autoScaling.describeAutoScalingGroups(input, signal),
    );
    if (!answer.known) return answer;
    for (const group of answer.value.AutoScalingGroups ?? []) {
      const listed = listedGroup(group);
      if (listed === null) return unknown(`Auto Scaling in ${region} describes a group incompletely`);
      found.push(listed);
    }
    token = answer.value.NextToken;
    if (token === undefined || token === '') return known(found);
  }
  return unknown(`Auto Scaling in ${region} answers with more than ${MOST_PAGES} pages`);
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
