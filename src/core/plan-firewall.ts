import type { Fleet, Instance, InstanceEvidence } from './fleet.ts';
import { isTerminatedForCertain } from './fleet.ts';
import type { Known } from './known.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** TCP ports, both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** A rule of a security group that lets one IPv4 address in. */
export interface IngressRule extends PortRange {
  readonly address: string;
  /** Empty where it has none. */
  readonly description: string;
}

/** A security group that instances of a region are in, with its rules of this kind. */
export interface SecurityGroup {
  readonly id: string;
  readonly rules: readonly IngressRule[];
}

/** What the rules are planned from. */
export interface FirewallObservation {
  /** `<name>.<zone>`. */
  readonly cluster: string;
  /** A known answer of all active regions. */
  readonly fleet: Fleet;
  /** By active region: the groups of the stack that living instances there are in. While one replaces another, both. */
  readonly groups: ReadonlyMap<string, Known<readonly SecurityGroup[]>>;
  readonly ports: readonly PortRange[];
  /**
   * Whether a region's own instances need rules, too: known by public addresses they come from outside to each other, and
   * a rule that names the group as the source does not let them in.
   */
  readonly withOwnRegion: boolean;
  /** Ids of instances that members are named after: they are let in as long as they are members. */
  readonly members: ReadonlySet<string>;
  readonly evidence: ReadonlyMap<string, InstanceEvidence>;
}

/** What is to be done in one group. */
export interface FirewallChange {
  readonly region: string;
  readonly groupId: string;
  readonly open: readonly IngressRule[];
  readonly close: readonly IngressRule[];
}

/** Why rules change, or do not. */
export type FirewallCode =
  'firewall-right' | 'firewall-opens' | 'firewall-closes' | 'firewall-no-group' | 'firewall-unknown';

/** Changes of the groups that need any, with reasons. */
export interface FirewallPlan {
  readonly changes: readonly FirewallChange[];
  readonly reasons: readonly Reason<FirewallCode>[];
}

/** An instance, and where EC2 is asked about it. */
export interface NamedInstance {
  readonly id: string;
  readonly region: string;
}

/** EC2 takes 255 characters. */
const LONGEST_DESCRIPTION = 255;

/** Instances of a region that run, or are about to: only these are in its groups for certain, and come in elsewhere. */
export function livingIn(fleet: Fleet, region: string): readonly Instance[] {
  return fleet.instances.filter((it) => it.region === region && isAlive(it));
}

/** A rule's description: it marks the rule as ours, and names the instance and the cluster. */
export function ruleDescription(cluster: string, { id, region }: NamedInstance): string {
  return `etcd-appliance: ${id} in ${region}, ${cluster}`.slice(0, LONGEST_DESCRIPTION);
}

/** Whom a rule of ours is for; null where it is not ours, or another cluster's. */
export function ruleOwner(cluster: string, description: string): NamedInstance | null {
  const [, id, region] = /^etcd-appliance: (i-[0-9a-z]+) in ([a-z0-9-]+), /.exec(description) ?? [];
  if (id === undefined || region === undefined) return null;
  const owner = { id, region };
  return description === ruleDescription(cluster, owner) ? owner : null;
}

/** The rules that let `self` in everywhere, and everybody in where it is: nothing is ever closed. Needs no lock. */
export function planArrival(
  seen: Omit<FirewallObservation, 'members' | 'evidence'>,
  self: NamedInstance,
): FirewallPlan {
  return plan(seen, (region, instance) => region === self.region || instance.id === self.id, null);
}

/**
 * One rule in each group for each instance that comes from outside; rules of ours whose instance is terminated for certain
 * are closed, once it is no member any more and nobody else has its address. All other rules are left alone: a rule too many
 * does little harm for a while, one too few takes a member from its cluster.
 */
export function planFirewall(seen: FirewallObservation): FirewallPlan {
  return plan(seen, () => true, seen);
}

/** Instances that rules of ours name and the fleet does not show alive: EC2 is asked about them. */
export function instancesInDoubt({
  cluster,
  fleet,
  groups,
}: Pick<FirewallObservation, 'cluster' | 'fleet' | 'groups'>): readonly NamedInstance[] {
  const doubtful = new Map<string, NamedInstance>();
  for (const inRegion of groups.values()) {
    for (const { description } of inRegion.known ? inRegion.value.flatMap((it) => it.rules) : []) {
      const owner = ruleOwner(cluster, description);
      if (owner !== null && !fleet.instances.some((it) => it.id === owner.id && isAlive(it)))
        doubtful.set(owner.id, owner);
    }
  }
  return [...doubtful.values()];
}

function plan(
  seen: Omit<FirewallObservation, 'members' | 'evidence'>,
  concerns: (region: string, instance: Instance) => boolean,
  closing: Pick<FirewallObservation, 'members' | 'evidence'> | null,
): FirewallPlan {
  const changes: FirewallChange[] = [];
  const reasons: Reason<FirewallCode>[] = [];
  for (const [region, groups] of seen.groups) {
    if (!groups.known) {
      reasons.push(reason('firewall-unknown', `the rules of ${region} are unknown: ${groups.reason}`));
      continue;
    }
    if (groups.value.length === 0 && livingIn(seen.fleet, region).length > 0) {
      const why = 'its instances are in no security group of the stack: let the others in yourself';
      reasons.push(reason('firewall-no-group', `${region}: ${why}`));
    }
    const wanted = wantedIn(region, seen, concerns);
    const here = groups.value.map(({ id: groupId, rules }): FirewallChange => {
      const open = wanted.filter((it) => !rules.some((rule) => isSame(rule, it)));
      const close = closing === null ? [] : rules.filter((rule) => isOver(rule, seen, closing));
      return { region, groupId, open, close };
    });
    changes.push(...here.filter(({ open, close }) => open.length + close.length > 0));
    const [open, close] = [here.flatMap((it) => it.open), here.flatMap((it) => it.close)];
    if (open.length > 0) reasons.push(reason('firewall-opens', `${region} lets in ${listed(open)}`));
    if (close.length > 0)
      reasons.push(reason('firewall-closes', `${region} lets in no more ${listed(close)}`));
  }
  if (reasons.length === 0)
    reasons.push(reason('firewall-right', 'the security groups let in who is to come in'));
  return { changes, reasons };
}

function wantedIn(
  region: string,
  { cluster, fleet, ports, withOwnRegion }: Omit<FirewallObservation, 'members' | 'evidence'>,
  concerns: (region: string, instance: Instance) => boolean,
): readonly IngressRule[] {
  const addresses = new Set<string>();
  return fleet.instances.flatMap((instance) => {
    const { address } = instance;
    const fromOutside = withOwnRegion || instance.region !== region;
    if (address === null || !isIPv4(address) || addresses.has(address)) return [];
    if (!fromOutside || !isAlive(instance) || !concerns(region, instance)) return [];
    addresses.add(address);
    const description = ruleDescription(cluster, instance);
    return ports.map((range) => ({ ...range, address, description }));
  });
}

/** A rule of ours that lets in nobody who lives. */
function isOver(
  rule: IngressRule,
  { cluster, fleet }: Pick<FirewallObservation, 'cluster' | 'fleet'>,
  { members, evidence }: Pick<FirewallObservation, 'members' | 'evidence'>,
): boolean {
  const owner = ruleOwner(cluster, rule.description);
  if (owner === null || members.has(owner.id)) return false;
  const needed = fleet.instances.some((it) =>
    it.id === owner.id ? isAlive(it) : it.address === rule.address || it.otherAddress === rule.address,
  );
  const about = evidence.get(owner.id);
  return !needed && about !== undefined && isTerminatedForCertain(about);
}

function isAlive({ state }: Instance): boolean {
  return state === 'running' || state === 'pending';
}

/** EC2 has no rule twice: same ports, same source. Whose it is does not matter. */
function isSame(rule: IngressRule, other: IngressRule): boolean {
  return rule.address === other.address && rule.from === other.from && rule.to === other.to;
}

function isIPv4(address: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(address);
}

function listed(rules: readonly IngressRule[]): string {
  return [...new Set(rules.map((it) => it.address))].join(', ');
}
