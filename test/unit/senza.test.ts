import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { IAM_ACTIONS } from '../../src/aws/actions.ts';
import { NO_FILE } from '../../src/config-content.ts';
import { KEYS } from '../../src/config-schema.ts';
import { readConfig } from '../../src/config.ts';

/*
 * The definitions for senza as they are written, with no Python at hand: what must fit the code, and what must stay as the
 * Python original has it, so that a living stack of its can be updated. What senza and moto make of them is in the torture.
 */

interface Definition {
  readonly SenzaInfo: {
    readonly StackName: string;
    readonly Parameters: readonly Readonly<Record<string, { readonly Default?: string | number }>>[];
  };
  readonly SenzaComponents: readonly Readonly<Record<string, Component>>[];
  readonly Resources: Readonly<Record<string, { readonly Properties: Properties }>>;
}

interface Component {
  readonly AutoScaling: Readonly<Record<string, string>>;
  readonly TaupageConfig: {
    readonly environment: Readonly<Record<string, string>>;
    readonly ports: Readonly<Record<string, number>>;
  };
}

type Properties = Readonly<Record<string, unknown>>;

/** What the original's README gives, and what senza fills in by itself. */
const GIVEN = { HostedZone: 'elephant.example.org', DockerImage: 'acid/etcd-appliance:1.0' };

/** The actions by which members of one region let those of the others in. */
const BETWEEN_REGIONS = /SecurityGroup/;

/** A definition with all arguments filled in, as senza does it before anything else. */
async function read(file: string, given: Readonly<Record<string, string>> = GIVEN): Promise<Definition> {
  const text = await readFile(join(import.meta.dirname, '../../senza', file), 'utf8');
  const { SenzaInfo } = parse(text) as Definition;
  const defaults = SenzaInfo.Parameters.flatMap(Object.entries).map(([name, it]) => [name, it.Default]);
  const values: Readonly<Record<string, unknown>> = { ...Object.fromEntries(defaults), ...given };
  const filled = text
    .replaceAll('{{SenzaInfo.StackVersion}}', 'releaseetcd')
    .replaceAll(/\{\{Arguments\.(\w+)\}\}/g, (_, name: string) => String(values[name]));
  return parse(filled) as Definition;
}

function appServer({ SenzaComponents }: Definition): Component {
  const found = SenzaComponents.find((it) => 'AppServer' in it)?.['AppServer'];
  if (found === undefined) throw new Error('no AppServer');
  return found;
}

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The statements of the role's policies. */
function statements({ Resources }: Definition): readonly Statement[] {
  const policies = (Resources['EtcdRole']?.Properties['Policies'] ?? []) as readonly {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  }[];
  return policies.flatMap((it) => it.PolicyDocument.Statement);
}

/** All actions that the role's policies allow, sorted. */
function allowed(definition: Definition): readonly string[] {
  return statements(definition)
    .flatMap(({ Action }) => Action)
    .toSorted();
}

/** What CloudFormation makes of a text, by those of its functions that stand in a pattern of names. */
function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  const [[name, operand] = ['', []]] = Object.entries(value);
  const [first, second] = resolved(operand) as readonly [unknown, unknown];
  if (name === 'Fn::Join') return (second as readonly string[]).join(String(first));
  if (name === 'Fn::Select') return (second as readonly string[])[Number(first)];
  if (name === 'Fn::Split') return String(second).split(String(first));
  throw new Error(`${name} is not expected`);
}

/** Whether the role may write a record of this name, as IAM normalizes it: in lower case, without a final dot. */
function mayWrite(definition: Definition, name: string): boolean {
  const { Condition } = statements(definition).find(({ Sid }) => Sid === 'WriteOwnRecords') ?? {};
  const patterns = resolved(
    Condition?.['ForAllValues:StringLike']?.['route53:ChangeResourceRecordSetsNormalizedRecordNames'],
  ) as readonly string[];
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'));
    return new RegExp(`^${parts.join('.*')}$`).test(name);
  });
}

describe.each([
  {
    file: 'etcd-cluster.yaml',
    original: ['HostedZone', 'DockerImage', 'ScalyrAccountKey'],
    actions: IAM_ACTIONS.filter((action) => !BETWEEN_REGIONS.test(action)),
  },
  {
    file: 'etcd-cluster-multiregion.yaml',
    original: ['HostedZone', 'DockerImage', 'ActiveRegions', 'InstanceCount'],
    actions: IAM_ACTIONS,
  },
])('$file', ({ file, original, actions }) => {
  test('takes the original`s arguments, in the original`s order', async () => {
    const { SenzaInfo } = await read(file);
    const names = SenzaInfo.Parameters.flatMap(Object.keys);
    expect(names.slice(0, original.length)).toEqual(original);
    const needed = SenzaInfo.Parameters.flatMap(Object.entries).filter(([, it]) => it.Default === undefined);
    expect(needed.map(([name]) => name)).toEqual(['HostedZone', 'DockerImage']);
  });

  test('updates what the original made, and replaces none of it', async () => {
    const definition = await read(file);
    expect(definition.SenzaInfo.StackName).toBe('etcd-cluster');
    expect(definition.Resources['EtcdSecurityGroup']?.Properties['GroupDescription']).toBe(
      'Etcd Appliance Security Group',
    );
    expect(definition.Resources['EtcdRole']?.Properties['Path']).toBe('/');
    const { Minimum, Maximum } = appServer(definition).AutoScaling;
    expect([Minimum, Maximum]).toEqual(['5', '5']);
  });

  test('gives the role the actions that the code uses, and no other', async () => {
    expect(allowed(await read(file))).toEqual(actions);
  });

  test.each(['elephant.example.org', 'elephant.example.org.'])(
    'lets the role write at and under the cluster`s name in its zone %s, and nowhere else',
    async (HostedZone) => {
      const definition = await read(file, { ...GIVEN, HostedZone });
      const own = 'releaseetcd.elephant.example.org';
      for (const name of [own, `_etcd-cluster.${own}`, `_etcd-start.i-0123456789abcdef0.${own}`])
        expect(mayWrite(definition, name), name).toBe(true);
      for (const name of [
        'elephant.example.org',
        'other.elephant.example.org',
        'prereleaseetcd.elephant.example.org',
        'releaseetcd.example.org',
        '_etcd-cluster.releaseetcd.lion.example.org',
        `${own}.example.com`,
      ])
        expect(mayWrite(definition, name), name).toBe(false);
    },
  );

  test('lets the role complete the hooks of its own group alone', async () => {
    const hooks = statements(await read(file)).find(({ Sid }) => Sid === 'CompleteOwnHooks');
    expect(hooks?.Resource).toEqual({
      'Fn::Sub':
        'arn:${AWS::Partition}:autoscaling:${AWS::Region}:${AWS::AccountId}:autoScalingGroup:*:autoScalingGroupName/${AWS::StackName}-AppServer-*',
    });
  });

  test('configures the appliance with variables that it reads', async () => {
    const { environment, ports } = appServer(await read(file)).TaupageConfig;
    expect(Object.keys(environment).filter((name) => !(KEYS as readonly string[]).includes(name))).toEqual(
      [],
    );
    const checks = { collidingFlags: () => [], defaultEtcdDir: '/opt/etcd' };
    const { config, notices } = readConfig(environment, NO_FILE, checks);
    expect(notices).toEqual([]);
    expect(config).toMatchObject({ hostedZone: GIVEN.HostedZone, etcdVersion: null });
    expect(Object.keys(ports)).toEqual([String(config.statusPort), '2379', '2380']);
  });
});
