import { CloudError } from './cloud-error.ts';
import type { CloudSettings, EventLog } from './model.ts';
import { HEX, randomText } from './random.ts';
import type { Permission, RegionStore, SecurityGroup, SecurityRule, Tags } from './world.ts';

export interface SecurityGroupsDeps {
  readonly store: RegionStore;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly random: () => number;
}

/** A rule as it is asked for. */
export type NewRule = Permission & { readonly description: string };

/** The security groups of a region. Every verb throws a CloudError where AWS would refuse, and then does nothing. */
export interface SecurityGroups {
  readonly need: (id: string) => SecurityGroup;
  readonly create: (group: Pick<SecurityGroup, 'name' | 'description' | 'tags'>) => SecurityGroup;
  readonly authorize: (id: string, rules: readonly NewRule[], tags: Tags) => readonly SecurityRule[];
  readonly revokeByIds: (id: string, ruleIds: readonly string[]) => readonly SecurityRule[];
  readonly revokeMatching: (id: string, permissions: readonly Permission[]) => readonly SecurityRule[];
  /** Adds tags to a group or to a rule, by its id. */
  readonly setTags: (id: string, tags: Tags) => void;
}

/** The groups that a stack made for its instances. */
export function securityGroupsOf(store: RegionStore, stackName: string): readonly SecurityGroup[] {
  return [...store.world().securityGroups.values()].filter(
    ({ tags }) => tags['aws:cloudformation:stack-name'] === stackName,
  );
}

/** A rule's source in one word: the range, or the id of the group. */
export function sourceText({ source }: Permission): string {
  return 'cidr' in source ? source.cidr : source.groupId;
}

function isSame(one: Permission, other: Permission): boolean {
  return (
    one.protocol === other.protocol &&
    one.fromPort === other.fromPort &&
    one.toPort === other.toPort &&
    sourceText(one) === sourceText(other)
  );
}

/** The rule in the words of EC2's refusals. */
function wordsOf(rule: Permission): string {
  const ports = `from port: ${rule.fromPort}, to port: ${rule.toPort}`;
  return `the specified rule "peer: ${sourceText(rule)}, ${rule.protocol.toUpperCase()}, ${ports}, ALLOW"`;
}

/** Whether a rule that names an address range lets this address in at this TCP port; one that names a group names no address. */
export function admits({ rules }: SecurityGroup, address: string, port: number): boolean {
  return rules.some(({ protocol, fromPort, toPort, source }) => {
    const ports = protocol === '-1' || (protocol === 'tcp' && fromPort <= port && port <= toPort);
    return ports && 'cidr' in source && isWithin(address, source.cidr);
  });
}

function isWithin(address: string, cidr: string): boolean {
  const [network = '', length = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(length));
  return Math.floor(numberOf(address) / size) === Math.floor(numberOf(network) / size);
}

/** An IPv4 address as one number. */
function numberOf(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** Throws where AWS would not take these rules into the group. */
function checkNew(group: SecurityGroup, rules: readonly NewRule[], most: number): void {
  if (rules.some((rule, index) => rules.findIndex((other) => isSame(rule, other)) !== index)) {
    throw new CloudError('InvalidParameterValue', 'The same permission must not appear multiple times');
  }
  const twin = rules.find((rule) => group.rules.some((other) => isSame(rule, other)));
  if (twin !== undefined) {
    throw new CloudError('InvalidPermission.Duplicate', `${wordsOf(twin)} already exists`);
  }
  if (group.rules.length + rules.length > most) {
    throw new CloudError(
      'RulesPerSecurityGroupLimitExceeded',
      'The maximum number of rules per security group has been reached.',
    );
  }
}

/** Security groups: sets of rules, in which nothing is twice. */
export function createSecurityGroups(deps: SecurityGroupsDeps): SecurityGroups {
  const { store, settings, events, random } = deps;

  const need = (id: string): SecurityGroup => {
    const group = store.world().securityGroups.get(id);
    if (group !== undefined) return group;
    throw new CloudError('InvalidGroup.NotFound', `The security group '${id}' does not exist`);
  };

  const tell = (group: SecurityGroup, rule: SecurityRule, done: 'authorized' | 'revoked'): void => {
    events.emit('security-rule', {
      groupId: group.id,
      ruleId: rule.id,
      done,
      from: sourceText(rule),
      ports: `${rule.protocol} ${rule.fromPort}-${rule.toPort}`,
      description: rule.description,
    });
  };

  const remove = (group: SecurityGroup, gone: readonly SecurityRule[]): readonly SecurityRule[] => {
    store.setSecurityGroup({ ...group, rules: group.rules.filter((rule) => !gone.includes(rule)) });
    for (const rule of gone) tell(group, rule, 'revoked');
    return gone;
  };

  return {
    need,
    create(wanted) {
      if ([...store.world().securityGroups.values()].some(({ name }) => name === wanted.name)) {
        throw new CloudError(
          'InvalidGroup.Duplicate',
          `The security group '${wanted.name}' already exists for VPC '${VPC_ID}'`,
        );
      }
      const group = { ...wanted, id: `sg-0${randomText(random, 16, HEX)}`, rules: [] };
      store.setSecurityGroup(group);
      return group;
    },
    authorize(id, wanted, tags) {
      const group = need(id);
      checkNew(group, wanted, settings().rulesPerSecurityGroup);
      const made = wanted.map((rule) => ({ ...rule, id: `sgr-0${randomText(random, 16, HEX)}`, tags }));
      store.setSecurityGroup({ ...group, rules: [...group.rules, ...made] });
      for (const rule of made) tell(group, rule, 'authorized');
      return made;
    },
    revokeByIds(id, ruleIds) {
      const group = need(id);
      const found = group.rules.filter((rule) => ruleIds.includes(rule.id));
      const missing = ruleIds.filter((ruleId) => !found.some((rule) => rule.id === ruleId));
      if (missing.length > 0) {
        throw new CloudError(
          'InvalidSecurityGroupRuleId.NotFound',
          `The security group rule ID '${missing.join(', ')}' does not exist`,
        );
      }
      return remove(group, found);
    },
    revokeMatching(id, permissions) {
      const group = need(id);
      const lacking = permissions.some((permission) => !group.rules.some((rule) => isSame(rule, permission)));
      if (lacking) {
        throw new CloudError(
          'InvalidPermission.NotFound',
          'The specified rule does not exist in this security group.',
        );
      }
      return remove(
        group,
        group.rules.filter((rule) => permissions.some((permission) => isSame(rule, permission))),
      );
    },
    setTags(id, tags) {
      const group = [...store.world().securityGroups.values()].find(
        (it) => it.id === id || it.rules.some((rule) => rule.id === id),
      );
      if (group === undefined) throw new CloudError('InvalidID', `The ID '${id}' is not valid`);
      const tagged = <T extends { readonly id: string; readonly tags: Tags }>(it: T): T =>
        it.id === id ? { ...it, tags: { ...it.tags, ...tags } } : it;
      store.setSecurityGroup(tagged({ ...group, rules: group.rules.map(tagged) }));
    },
  };
}

/** The one network of a region. */
export const VPC_ID = 'vpc-0a0b0c0d';
