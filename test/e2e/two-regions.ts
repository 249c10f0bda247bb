import type { InstanceSnapshot } from '../../src/sandbox/model.ts';
import type { Fleet } from './harness.ts';

export const HERE = 'eu-central-1';
export const THERE = 'eu-west-1';
/** One way, as between Frankfurt and North Virginia: three times as far as between these two. */
export const DISTANCE = { distanceMs: 80 } as const;

/** What the appliance puts before the descriptions of its rules. */
const MARK = 'etcd-appliance: ';

export function runningIn({ sandbox }: Fleet, region: string): readonly InstanceSnapshot[] {
  return sandbox.cloud
    .describe()
    .instances.filter((one) => one.region === region && one.state !== 'terminated');
}

/**
 * What keeps the rules of the security groups from being these and no others: in each region one rule for each instance of
 * the fleet, for its public address alone and the three ports, and the two that came with the stack.
 */
export function wrongInRules({ sandbox }: Fleet): readonly string[] {
  const { instances, securityGroups } = sandbox.cloud.describe();
  const expected = instances
    .filter(({ state }) => state === 'running')
    .map(({ instanceId, publicAddress }) => `${instanceId} tcp 2378-2380 ${publicAddress}/32`)
    .toSorted();
  return securityGroups.flatMap(({ region, rules }) => {
    const ours = rules.filter(({ description }) => description.startsWith(MARK));
    const found = ours
      .map(({ description, protocol, fromPort, toPort, from }) => {
        const [id = ''] = description.slice(MARK.length).split(' ');
        return `${id} ${protocol} ${fromPort}-${toPort} ${from}`;
      })
      .toSorted();
    const wrong = found.join() === expected.join() ? [] : [`${region} has ${found.join(', ')}`];
    return rules.length - ours.length === 2 ? wrong : [...wrong, `${region} has lost a rule of the stack`];
  });
}
