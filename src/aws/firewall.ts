import type { IpPermission, SecurityGroup as Ec2Group } from '@aws-sdk/client-ec2';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { IngressRule, SecurityGroup } from '../core/plan-firewall.ts';
import type { Ec2Calls } from './calls.ts';
import type { AwsClients } from './clients.ts';
import { clauseOf, failureOf } from './failure.ts';
import { STACK_TAG } from './identity.ts';
import { describeInstances } from './instances.ts';
import { pagesOf } from './pages.ts';

/** What became of rules that were to be added or removed. */
export type FirewallOutcome =
  | { readonly kind: 'done' }
  /** `full`: the group takes no more rules. `unknown`: no answer came, they may stand or not. */
  | { readonly kind: 'full' | 'refused' | 'unknown'; readonly message: string };

/** The security groups of a stack, one in each region. */
export interface Firewall {
  /**
   * The region's group that carries the stack's tag, with its rules for single IPv4 addresses; null where there is none. Of
   * several, the one that `instances` (ids) are in.
   */
  group(
    region: string,
    instances: readonly string[],
    signal: AbortSignal,
  ): Promise<Known<SecurityGroup | null>>;
  /** Adds rules; one that stands already is fine. */
  open(
    region: string,
    groupId: string,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome>;
  /** Removes rules by ports and source, of which a group has none twice; one that is gone already is fine. */
  close(
    region: string,
    groupId: string,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome>;
}

/** Makes the firewall of the stack of this name. */
export function createFirewall(stack: string, clients: Pick<AwsClients, 'ec2'>): Firewall {
  return {
    group: async (region, instances, signal) => {
      const ec2 = clients.ec2(region);
      const groups = await groupsOfStack(ec2, region, stack, signal);
      if (!groups.known) return groups;
      const [first, ...more] = groups.value.toSorted((a, b) =>
        (a.GroupId ?? '') < (b.GroupId ?? '') ? -1 : 1,
      );
      if (first === undefined) return known(null);
      if (more.length === 0) return groupOf(first, region);
      const described = await describeInstances(ec2, region, instances, null, signal);
      if (!described.known) return described;
      const inUse = new Set([...described.value.values()].flatMap((it) => it.securityGroups));
      const used = [first, ...more].find((it) => inUse.has(it.GroupId ?? ''));
      return used === undefined ? known(null) : groupOf(used, region);
    },
    open: async (region, groupId, rules, signal) => {
      const ec2 = clients.ec2(region);
      const send: Send = async (some) =>
        await ec2.authorizeSecurityGroupIngress(
          { GroupId: groupId, IpPermissions: some.map(described) },
          signal,
        );
      return await change(region, rules, send, 'InvalidPermission.Duplicate', signal);
    },
    close: async (region, groupId, rules, signal) => {
      const ec2 = clients.ec2(region);
      const send: Send = async (some) =>
        await ec2.revokeSecurityGroupIngress(
          { GroupId: groupId, IpPermissions: some.map(permission) },
          signal,
        );
      return await change(region, rules, send, 'InvalidPermission.NotFound', signal);
    },
  };
}

async function groupsOfStack(
  ec2: Ec2Calls,
  region: string,
  stack: string,
  signal: AbortSignal,
): Promise<Known<readonly Ec2Group[]>> {
  const groups: Ec2Group[] = [];
  const question = { Filters: [{ Name: `tag:${STACK_TAG}`, Values: [stack] }] };
  const pages = pagesOf(
    `EC2 in ${region}`,
    async (start) => await ec2.describeSecurityGroups({ ...question, ...start }, signal),
    signal,
  );
  // A filter knows wildcards: only the exact name is ours.
  const isOurs = (it: Ec2Group): boolean =>
    (it.Tags ?? []).some(({ Key, Value }) => Key === STACK_TAG && Value === stack);
  for await (const page of pages) {
    if (!page.known) return page;
    groups.push(...(page.value.SecurityGroups ?? []).filter(isOurs));
  }
  return known(groups);
}

function groupOf(group: Ec2Group, region: string): Known<SecurityGroup> {
  const { GroupId: id } = group;
  if (id === undefined) return unknown(`EC2 in ${region} describes a security group without an id`);
  return known({ id, rules: (group.IpPermissions ?? []).flatMap(rulesOf) });
}

/** Of all that a group lets in, what lets in a single address by TCP. */
function rulesOf({ IpProtocol, FromPort, ToPort, IpRanges }: IpPermission): readonly IngressRule[] {
  if (IpProtocol !== 'tcp' || FromPort === undefined || ToPort === undefined) return [];
  return (IpRanges ?? []).flatMap(({ CidrIp, Description = '' }) => {
    const [, address] = /^([\d.]+)\/32$/.exec(CidrIp ?? '') ?? [];
    return address === undefined ? [] : [{ from: FromPort, to: ToPort, address, description: Description }];
  });
}

function permission({ from, to, address }: IngressRule): IpPermission {
  return { IpProtocol: 'tcp', FromPort: from, ToPort: to, IpRanges: [{ CidrIp: `${address}/32` }] };
}

function described(rule: IngressRule): IpPermission {
  return {
    ...permission(rule),
    IpRanges: [{ CidrIp: `${rule.address}/32`, Description: rule.description }],
  };
}

type Send = (rules: readonly IngressRule[]) => Promise<unknown>;

/**
 * Sends a change of several rules; where one of them is as wanted already (EC2 says `fine`), EC2 refuses all, and they are
 * sent one by one: another appliance may be at the same.
 */
async function change(
  region: string,
  rules: readonly IngressRule[],
  send: Send,
  fine: string,
  signal: AbortSignal,
): Promise<FirewallOutcome> {
  try {
    if (rules.length > 0) await send(rules);
    return { kind: 'done' };
  } catch (thrown) {
    signal.throwIfAborted();
    const failure = failureOf(thrown);
    const message = `EC2 in ${region} ${clauseOf(failure)}`;
    if (failure.name === 'RulesPerSecurityGroupLimitExceeded') return { kind: 'full', message };
    if (failure.name !== fine)
      return { kind: failure.status === null || failure.status >= 500 ? 'unknown' : 'refused', message };
    if (rules.length === 1) return { kind: 'done' };
  }
  for (const rule of rules) {
    const outcome = await change(region, [rule], send, fine, signal);
    if (outcome.kind !== 'done') return outcome;
  }
  return { kind: 'done' };
}
