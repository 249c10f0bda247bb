import { CloudError } from './cloud-error.ts';
import type { Clock, GroupRequest } from './model.ts';
import { randomUuid } from './random.ts';
import type { RegionPlace } from './regions.ts';
import type { Group, GroupTag } from './world.ts';

/** A group as a request describes it. Throws where its sizes contradict each other or a zone is of another region. */
export function newGroup(
  place: RegionPlace,
  deps: { readonly random: () => number; readonly clock: Clock },
  request: GroupRequest,
  tags: readonly GroupTag[],
): Group {
  const id = randomUuid(deps.random);
  const zones = request.zones ?? place.zones;
  const unknown = zones.find((zone) => !place.zones.includes(zone));
  if (unknown !== undefined) throw new CloudError('ValidationError', `Invalid availability zone: ${unknown}`);
  if (!(request.min <= request.desired && request.desired <= request.max)) {
    throw new CloudError(
      'ValidationError',
      `Desired capacity:${String(request.desired)} must be between the specified min size:${String(request.min)} and max size:${String(request.max)}`,
    );
  }
  return {
    name: request.name,
    arn: `arn:aws:autoscaling:${place.name}:${place.account}:autoScalingGroup:${id}:autoScalingGroupName/${request.name}`,
    stackName: request.stackName,
    createdAtMs: deps.clock.now(),
    min: request.min,
    max: request.max,
    desired: request.desired,
    zones,
    hooks: request.hooks ?? [],
    tags,
    members: [],
    refreshes: [],
    deleting: false,
  };
}

/** The tags that a group of a CloudFormation stack has and gives to its instances. */
export function stackTags(request: GroupRequest): readonly GroupTag[] {
  const tags: Readonly<Record<string, string>> = {
    Name: request.stackName,
    StackName: request.stackName,
    'aws:cloudformation:stack-name': request.stackName,
    'aws:cloudformation:logical-id': 'AppServer',
  };
  return Object.entries(tags).map(([key, value]) => ({ key, value, propagate: true }));
}

/** A refusal where a desired capacity lies outside of the group's bounds, in Auto Scaling's words. */
export function checkDesired(group: Group, desired: number): void {
  if (!Number.isInteger(desired)) {
    throw new CloudError('ValidationError', `DesiredCapacity ${String(desired)} is not a whole number`);
  }
  const outside = desired > group.max ? ['above', 'max', group.max] : ['below', 'min', group.min];
  if (desired <= group.max && desired >= group.min) return;
  const [where, which, bound] = outside.map(String);
  throw new CloudError(
    'ValidationError',
    `New SetDesiredCapacity value ${String(desired)} is ${where ?? ''} ${which ?? ''} value ${bound ?? ''} for the AutoScalingGroup.`,
  );
}
