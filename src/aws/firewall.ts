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
  /**
   * `stale`: none of several was removed, as one is gone already: what was read is old. `full`: the group takes no more rules.
   * `unknown`: no answer came, they may stand or not.
   */
  | { readonly kind: 'stale' | 'full' | 'refused' | 'unknown'; readonly message: string };

/** The security groups of a stack. */
export interface Firewall {
  /**
   * The region's groups that carry the stack's tag and that `instances` (ids) are in, with their rules for single IPv4
   * addresses: none, or, while one replaces another, several. Unknown where EC2 does not show each of these instances.
   */
  groups(
    region: string,
    instances: readonly string[],
    signal: AbortSignal,
  ): Promise<Known<readonly SecurityGroup[]>>;
  /** Adds rules; one that stands already is fine. */
  open(
    region: string,
    groupId: string,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome>;
  /**
   * Removes rules by ports and source, of which a group has none twice, in one call; one that is gone already is fine where it
   * is the only one.
   */
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
    groups: async (region, instances, signal) => {
      if (instances.length === 0) return known([]);
      const ec2 = clients.ec2(region);
      const [tagged, described] = await Promise.all([
        groupsOfStack(ec2, region, stack, signal),
        describeInstances(ec2, region, instances, null, signal),
      ]);
      if (!tagged.known) return tagged;
      if (!described.known) return described;
      // An answer without an instance lacks its groups: those would be taken for none of ours, and nobody be let in.
      const missing = instances.find((id) => !described.value.has(id));
      if (missing !== undefined)
        return unknown(`EC2 in ${region} does not show ${missing}: which groups it is in is not known`);
      const inUse = new Set([...described.value.values()].flatMap((it) => it.securityGroups));
      return known(tagged.value.filter(({ id }) => inUse.has(id)));
    },
    open: async (region, groupId, rules, signal) => {
      const ec2 = clients.ec2(region);
      const send: Send = async (some) =>
        await ec2.authorizeSecurityGroupIngress(
          { GroupId: groupId, IpPermissions: some.map(described) },
          signal,
        );
      const add = async (some: readonly IngressRule[]): Promise<FirewallOutcome> =>
        await change(region, some, send, 'InvalidPermission.Duplicate', signal);
      const all = await add(rules);
      if (all.kind !== 'stale') return all;
      // Another appliance is at the same; to let somebody in late does no harm.
      for (const rule of rules) {
        const outcome = await add([rule]);
        if (outcome.kind !== 'done') return outcome;
      }
      return { kind: 'done' };
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
): Promise<Known<readonly SecurityGroup[]>> {
  const groups: SecurityGroup[] = [];
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
    for (const group of (page.value.SecurityGroups ?? []).filter(isOurs)) {
      const { GroupId: id } = group;
      if (id === undefined) return unknown(`EC2 in ${region} describes a security group without an id`);
      const rules = (group.IpPermissions ?? []).flatMap(rulesOf);
      // Taken for a rule that nobody wants, it would be asked to go by ports that there are not.
      if (!rules.every(({ from, to }) => Number.isInteger(from) && Number.isInteger(to)))
        return unknown(`EC2 in ${region} describes a rule of ${id} whose ports are no numbers`);
      groups.push({ id, rules });
    }
  }
  return known(groups);
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

/** Sends a change of several rules. EC2 refuses all of them where one is as wanted already, which it calls `fine`. */
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
    if (failure.name === fine) return rules.length === 1 ? { kind: 'done' } : { kind: 'stale', message };
    if (failure.name === 'RulesPerSecurityGroupLimitExceeded') return { kind: 'full', message };
    return { kind: failure.status === null || failure.status >= 500 ? 'unknown' : 'refused', message };
  }
}
