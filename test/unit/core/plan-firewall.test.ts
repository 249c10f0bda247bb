import { describe, expect, it } from 'vitest';
import type { Instance, InstanceEvidence } from '../../../src/core/fleet.ts';
import type { Known } from '../../../src/core/known.ts';
import { known, unknown } from '../../../src/core/known.ts';
import type {
  FirewallCode,
  FirewallObservation,
  FirewallPlan,
  IngressRule,
  SecurityGroup,
} from '../../../src/core/plan-firewall.ts';
import {
  instancesInDoubt,
  planArrival,
  planFirewall,
  ruleDescription,
  ruleOwner,
} from '../../../src/core/plan-firewall.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import { addressOf, CLUSTER, fleet, idOf, instance, REGION } from '../../fixtures/core/world.ts';

const FAR = 'us-east-1';
const PORTS = [{ from: 2378, to: 2380 }];

function far(n: number, more: Partial<Instance> = {}): Instance {
  return instance(n, { region: FAR, zone: `${FAR}a`, ...more });
}

/** A rule of ours for an instance: of the other region from 3 on. */
function ours(n: number, more: Partial<IngressRule> = {}): IngressRule {
  const description = ruleDescription(CLUSTER, { id: idOf(n), region: n < 3 ? REGION : FAR });
  return { from: 2378, to: 2380, address: addressOf(n), description, ...more };
}

function group(
  region: string,
  rules: readonly IngressRule[] | null,
): readonly [string, Known<readonly SecurityGroup[]>] {
  return [region, known(rules === null ? [] : [{ id: `sg-${region}`, rules }])];
}

/** Instances 1 and 2 here, 3 and 4 far away; all as it should be. */
function seen(more: Partial<FirewallObservation> = {}): FirewallObservation {
  return {
    cluster: CLUSTER,
    fleet: fleet([1, 2, far(3), far(4)]),
    groups: new Map([group(REGION, [ours(3), ours(4)]), group(FAR, [ours(1), ours(2)])]),
    ports: PORTS,
    withOwnRegion: false,
    members: new Set([1, 2, 3, 4].map(idOf)),
    evidence: new Map(),
    ...more,
  };
}

const GONE: InstanceEvidence = { ec2: known('terminated'), notFoundForMs: 0, unlistedForMs: 0 };
const WITHOUT_4 = { fleet: fleet([1, 2, far(3)]), members: new Set([1, 2, 3].map(idOf)) };
const gone = (n: number, word: Partial<InstanceEvidence> = {}): Pick<FirewallObservation, 'evidence'> => ({
  evidence: new Map([[idOf(n), { ...GONE, ...word }]]),
});

/** A plan in short: `us-east-1 +10.0.0.1 -10.0.0.2`. */
function said({ changes }: FirewallPlan): readonly string[] {
  return changes.map(({ region, open, close }) =>
    [region, ...open.map((it) => `+${it.address}`), ...close.map((it) => `-${it.address}`)].join(' '),
  );
}

const CASES: readonly {
  readonly name: string;
  readonly seen: FirewallObservation;
  readonly plan: readonly string[];
  readonly codes?: readonly FirewallCode[];
}[] = [
  { name: 'all as it should be', seen: seen(), plan: [], codes: ['firewall-right'] },
  {
    name: 'no rules yet: each region lets in the instances of the other',
    seen: seen({ groups: new Map([group(REGION, []), group(FAR, [])]) }),
    plan: [`${REGION} +${addressOf(3)} +${addressOf(4)}`, `${FAR} +${addressOf(1)} +${addressOf(2)}`],
    codes: ['firewall-opens', 'firewall-opens'],
  },
  {
    name: 'known by public addresses, the instances of one region are strangers to each other, too',
    seen: seen({ withOwnRegion: true }),
    plan: [`${REGION} +${addressOf(1)} +${addressOf(2)}`, `${FAR} +${addressOf(3)} +${addressOf(4)}`],
  },
  {
    name: 'one that is about to run is let in, one without an address or on its way out is not',
    seen: seen({
      fleet: fleet([
        1,
        2,
        far(3),
        far(4),
        instance(5, { state: 'pending', lifecycle: 'Pending' }),
        instance(6, { address: null }),
        instance(7, { state: 'shutting-down' }),
        instance(8, { state: 'stopped' }),
        instance(9, { state: null }),
      ]),
    }),
    plan: [`${FAR} +${addressOf(5)}`],
  },
  {
    name: 'who terminates with a hook, or stands by, is let in as long as it runs',
    seen: seen({
      fleet: fleet([
        1,
        2,
        far(3, { lifecycle: 'Terminating:Wait' }),
        far(4, { lifecycle: 'Standby' }),
        far(5, { lifecycle: 'Warmed:Running' }),
      ]),
    }),
    plan: [`${REGION} +${addressOf(5)}`],
  },
  ...['2001:db8::1', '::ffff:10.0.0.5', '10.0.0.5/32'].map((address) => ({
    name: `what is no address of version 4 is no matter of these rules: ${address}`,
    seen: seen({ fleet: fleet([1, 2, far(3), far(4), far(5, { address })]) }),
    plan: [],
  })),
  {
    name: 'an address of full length is let in like the short ones here',
    seen: seen({ fleet: fleet([1, 2, far(3), far(4), far(5, { address: '192.168.100.255' })]) }),
    plan: [`${REGION} +192.168.100.255`],
  },
  {
    name: 'two instances that AWS shows with one address have one rule: EC2 takes none twice',
    seen: seen({
      fleet: fleet([1, 2, far(3), far(4), ...[5, 6].map((n) => far(n, { address: '10.0.0.5' }))]),
    }),
    plan: [`${REGION} +10.0.0.5`],
  },
  {
    name: 'a rule of somebody else for the same ports and address is as good: EC2 takes none twice',
    seen: seen({
      groups: new Map([
        group(REGION, [ours(3, { description: 'by hand' }), ours(4)]),
        group(FAR, [ours(1), ours(2)]),
      ]),
    }),
    plan: [],
  },
  ...[{ from: 2379 }, { to: 2379 }].map((ports) => ({
    name: `a rule for other ports is not: ${JSON.stringify(ports)}`,
    seen: seen({
      groups: new Map([group(REGION, [ours(3, ports), ours(4)]), group(FAR, [ours(1), ours(2)])]),
    }),
    plan: [`${REGION} +${addressOf(3)}`],
  })),
  {
    name: 'with two ranges of ports there are two rules',
    seen: seen({ ports: [...PORTS, { from: 8080, to: 8080 }], fleet: fleet([1, 2, far(3), far(4)]) }),
    plan: [`${REGION} +${addressOf(3)} +${addressOf(4)}`, `${FAR} +${addressOf(1)} +${addressOf(2)}`],
  },
  {
    name: 'an instance that is terminated for certain: its rule goes',
    seen: seen({ ...WITHOUT_4, ...gone(4) }),
    plan: [`${REGION} -${addressOf(4)}`],
    codes: ['firewall-closes'],
  },
  {
    name: 'its replacement comes in in the same step',
    seen: seen({ ...WITHOUT_4, ...gone(4), fleet: fleet([1, 2, far(3), far(5)]) }),
    plan: [`${REGION} +${addressOf(5)} -${addressOf(4)}`],
    codes: ['firewall-opens', 'firewall-closes'],
  },
  {
    name: 'no evidence: it stays',
    seen: seen(WITHOUT_4),
    plan: [],
  },
  ...(['running', 'pending', 'stopping', 'stopped'] as const).map((state) => ({
    name: `unlisted, and EC2 says ${state}: it stays`,
    seen: seen({ ...WITHOUT_4, ...gone(4, { ec2: known(state) }) }),
    plan: [],
  })),
  {
    name: 'EC2 has not answered about it: it stays',
    seen: seen({ ...WITHOUT_4, ...gone(4, { ec2: unknown('throttled') }) }),
    plan: [],
  },
  {
    name: 'EC2 has not known the id for a while: it stays',
    seen: seen({ ...WITHOUT_4, ...gone(4, { ec2: known('not-found'), notFoundForMs: 3_599_999 }) }),
    plan: [],
  },
  {
    name: 'EC2 has not known the id for an hour: it goes',
    seen: seen({ ...WITHOUT_4, ...gone(4, { ec2: known('not-found'), notFoundForMs: 3_600_000 }) }),
    plan: [`${REGION} -${addressOf(4)}`],
  },
  {
    name: 'it is still a member, which is evicted first',
    seen: seen({ ...WITHOUT_4, ...gone(4), members: new Set([idOf(4)]) }),
    plan: [],
  },
  {
    name: 'its address is that of another instance by now',
    seen: seen({
      ...WITHOUT_4,
      ...gone(4),
      fleet: fleet([1, 2, far(3), far(5, { address: addressOf(4) })]),
    }),
    plan: [],
  },
  {
    name: 'its address is the other one of an instance that a differently configured appliance let in',
    seen: seen({
      ...WITHOUT_4,
      ...gone(4),
      fleet: fleet([1, 2, far(3, { otherAddress: addressOf(4) })]),
    }),
    plan: [],
  },
  {
    name: 'EC2 still shows the instance itself, with its address, as it shuts down',
    seen: seen({
      ...WITHOUT_4,
      ...gone(4, { ec2: known('shutting-down') }),
      fleet: fleet([1, 2, far(3), far(4, { state: 'shutting-down' })]),
    }),
    plan: [`${REGION} -${addressOf(4)}`],
  },
  ...['by hand', '', 'etcd-appliance', `etcd-appliance: ${idOf(4)} in ${FAR}, other.example.org`].map(
    (description) => ({
      name: `a rule with the description '${description}' is not ours`,
      seen: seen({
        ...WITHOUT_4,
        ...gone(4),
        groups: new Map([group(REGION, [ours(3), ours(4, { description })]), group(FAR, [ours(1), ours(2)])]),
      }),
      plan: [],
    }),
  ),
  {
    name: 'a region that does not answer keeps nothing from the others',
    seen: seen({
      ...WITHOUT_4,
      ...gone(4),
      groups: new Map([[FAR, unknown('throttled')], group(REGION, [ours(4)])]),
    }),
    plan: [`${REGION} +${addressOf(3)} -${addressOf(4)}`],
    codes: ['firewall-unknown', 'firewall-opens', 'firewall-closes'],
  },
  {
    name: 'a region without a group keeps nothing from the others',
    seen: seen({ groups: new Map([group(FAR, null), group(REGION, [])]) }),
    plan: [`${REGION} +${addressOf(3)} +${addressOf(4)}`],
    codes: ['firewall-no-group', 'firewall-opens'],
  },
  {
    name: 'of a region without instances nobody needs a group',
    seen: seen({
      fleet: fleet([1, 2, far(3, { state: 'terminated' })]),
      groups: new Map([group(FAR, null)]),
    }),
    plan: [],
    codes: ['firewall-right'],
  },
  {
    name: 'while one group replaces another, each is looked after',
    seen: seen({
      ...WITHOUT_4,
      ...gone(4),
      groups: new Map([
        [
          REGION,
          known([
            { id: 'sg-old', rules: [ours(3), ours(4)] },
            { id: 'sg-new', rules: [] },
          ]),
        ],
        group(FAR, [ours(1), ours(2)]),
      ]),
    }),
    plan: [`${REGION} -${addressOf(4)}`, `${REGION} +${addressOf(3)}`],
    codes: ['firewall-opens', 'firewall-closes'],
  },
];

describe('the rules', () => {
  it.each(CASES)('$name', ({ seen: observation, plan, codes }) => {
    const planned = planFirewall(observation);
    expect(said(planned)).toEqual(plan);
    if (codes !== undefined) expect(planned.reasons.map((it) => it.code)).toEqual(codes);
  });

  it('have a case for every code', () => {
    expect(covered(CASES.flatMap((it) => it.codes ?? []))).toEqual(
      declared<FirewallCode>({
        'firewall-right': true,
        'firewall-opens': true,
        'firewall-closes': true,
        'firewall-no-group': true,
        'firewall-unknown': true,
      }),
    );
  });
});

describe('who arrives', () => {
  const nothing = seen({ groups: new Map([group(REGION, []), group(FAR, [])]) });
  it('lets itself in everywhere, and the others in where it is', () => {
    const { changes, reasons } = planArrival(nothing, { id: idOf(1), region: REGION });
    expect(said({ changes, reasons })).toEqual([
      `${REGION} +${addressOf(3)} +${addressOf(4)}`,
      `${FAR} +${addressOf(1)}`,
    ]);
    expect(changes[1]?.open).toEqual([ours(1)]);
  });
  it('closes nothing', () => {
    expect(said(planArrival(seen({ ...WITHOUT_4, ...gone(4) }), { id: idOf(1), region: REGION }))).toEqual(
      [],
    );
  });
});

describe('EC2 is asked about', () => {
  it('instances that rules of ours name and that the fleet does not show alive', () => {
    const foreign = ours(6, { description: 'by hand' });
    const observation = seen({
      fleet: fleet([1, 2, far(3, { state: 'shutting-down' }), far(4, { state: 'pending' })]),
      groups: new Map([group(REGION, [ours(3), ours(4), ours(5), foreign]), group(FAR, [ours(1), ours(5)])]),
    });
    expect(instancesInDoubt(observation)).toEqual([
      { id: idOf(3), region: FAR },
      { id: idOf(5), region: FAR },
    ]);
  });
});

describe('a description', () => {
  const owner = { id: 'i-0123456789abcdef0', region: 'ap-southeast-3' };
  it('says whose the rule is, and of which cluster', () => {
    const text = ruleDescription(CLUSTER, owner);
    expect(text).toMatch(/^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/);
    expect(ruleOwner(CLUSTER, text)).toEqual(owner);
    expect(ruleOwner(`${CLUSTER}.`, text)).toBeNull();
  });
  it('of a very long name is cut, and known all the same', () => {
    const long = `${'a'.repeat(63)}.${'b'.repeat(199)}`;
    const text = ruleDescription(long, owner);
    expect(text).toHaveLength(255);
    expect(ruleOwner(long, text)).toEqual(owner);
  });
});
