import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { IAM_ACTIONS } from '../../src/aws/actions.ts';
import { standingLine } from '../../src/app-standing.ts';
import { known } from '../../src/core/known.ts';
import { planWithout } from '../../src/core/plan-upgrade.ts';
import { reason } from '../../src/core/reason.ts';
import { createChronicle, createState } from '../../src/daemon/state.ts';
import { createLog } from '../../src/http/log.ts';
import { status } from '../fixtures/core/world.ts';
import { LINTERS_DIRECTORY } from '../tools.ts';
import type { Tree, Value } from './cloudformation.ts';
import { at, listOf, readTemplate, resourcesOf, TEMPLATE_FILE, textAt } from './cloudformation.ts';
import { finds } from './filter-pattern.ts';

const run = promisify(execFile);
const template = await readTemplate();
const root = join(import.meta.dirname, '../..');
const page = async (name: string): Promise<string> => await readFile(join(root, 'docs', name), 'utf8');

describe('the template', () => {
  it('is without findings of cfn-lint', async () => {
    const { stdout } = await run(join(LINTERS_DIRECTORY, 'bin', 'cfn-lint'), [TEMPLATE_FILE]).catch(
      (error: unknown) => error as { readonly stdout: string },
    );
    expect(stdout).toBe('');
  });

  it('is small enough to be sent as it is', async () => {
    expect((await stat(TEMPLATE_FILE)).size).toBeLessThanOrEqual(51_200);
  });

  it('shows every parameter in the console, in a group', () => {
    const shown = listOf(at({ ...template }, 'Metadata', 'AWS::CloudFormation::Interface', 'ParameterGroups'))
      .flatMap((group) => listOf(at(group, 'Parameters')))
      .toSorted();
    expect(shown).toEqual(Object.keys(template.Parameters).toSorted());
  });

  it('says of every text that a person types what is allowed', () => {
    const free = Object.entries(template.Parameters).filter(
      ([, it]) => it['Type'] === 'String' && it['AllowedValues'] === undefined,
    );
    for (const [name, it] of free) {
      expect(it, name).toHaveProperty('AllowedPattern', expect.stringMatching(/^\^.*\$$/));
      expect(it, name).toHaveProperty('ConstraintDescription');
    }
  });

  it.each([
    [
      'ClientCidr',
      ['', '10.0.0.0/8', '203.0.113.7/32'],
      ['0.0.0.0/0', '0.0.0.0/7', '10.0.0.0', '256.0.0.0/8'],
    ],
    ['ClusterName', ['main', '0a'], ['', 'Main', 'etcd-main']],
    ['EtcdVersion', ['', '3.6', '3.6.16'], ['3.8', '3.3.1', 'v3.6']],
    ['EtcdExtraFlags', ['', '--a=1', '--a=1 --b-c=http://x:1,y'], ['--a="1"', "--a='", '--a=$(b)', '-a']],
    ['HostedZoneName', ['example.org', '_a.b-c.example.org'], ['example.org.', 'Example.org', 'org']],
    ['Image', ['etcd-appliance:0.1.0', 'r:5000/a/b@sha256:0f'], ["a'b", 'a b', 'A/b', 'a;b']],
    ['BootstrapWait', ['0s', '90s', '2m', '99m', '720m', '12h'], ['', '2', '2d', '721m', '13h']],
    ['ActiveRegions', ['', 'eu-central-1', 'eu-west-1,us-gov-west-1'], ['eu-west-1,', 'eu']],
  ])('takes for %s what it should', (name, good, bad) => {
    const pattern = new RegExp(textAt(template.Parameters[name], 'AllowedPattern'));
    for (const text of good) expect(pattern.test(text), text).toBe(true);
    for (const text of bad) expect(pattern.test(text), text).toBe(false);
  });
});

/** What a rule's function comes to, of those that ours use; parameters that are not given have their defaults. */
function holds(value: Value, given: Readonly<Record<string, string>>): Value {
  if (typeof value !== 'object' || value === null) return value;
  const [[name, operand] = ['', ''] as const] = Object.entries(value);
  if (typeof operand === 'string') return given[operand] ?? at(template.Parameters[operand], 'Default');
  const [first = null, second = null] = listOf(operand).map((it) => holds(it, given));
  if (name === 'Fn::Equals') return first === second;
  if (name === 'Fn::Not') return first !== true;
  throw new Error(`${name} is not expected in a rule`);
}

/** The rules that refuse these parameters. */
const refusing = (given: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(template.Rules)
    .filter(([, rule]) => holds(at(rule, 'RuleCondition'), given) === true)
    .filter(([, rule]) => listOf(at(rule, 'Assertions')).some((it) => !holds(at(it, 'Assert'), given)))
    .map(([name]) => name);

describe('the rules', () => {
  const HostedZoneId = 'Z0123456789ABC';
  const ActiveRegions = 'eu-central-1,eu-west-1';

  it.each([
    [{}, []],
    [{ HostedZoneId }, []],
    [{ ActiveRegions, HostedZoneId, ClusterSize: '2' }, []],
    [{ ClusterSize: '2' }, ['TwoAreForSeveralRegions']],
    // A zone made by each stack would be a register each: two clusters under one name.
    [{ ActiveRegions }, ['SeveralRegionsShareAZone']],
  ])('hold %j against what goes together', (given, expected) => {
    expect(refusing(given)).toEqual(expected);
  });
});

describe('the zone that the stack makes', () => {
  it('stays when the stack goes, or is given it as the one to use: the claim is in it', () => {
    expect(template.Resources['Zone']).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
    });
  });
});

interface Statement {
  readonly actions: readonly Value[];
  readonly resources: readonly Value[];
}

/** Statements of one of the instances' policies, and those that only some parameters call for. */
function statementsOf(policy: string): readonly Statement[] {
  const policies = listOf(at(template.Resources['Role'], 'Properties', 'Policies'));
  const found = policies.find((it) => (it as Tree)['PolicyName'] === policy);
  return listOf(at(found, 'PolicyDocument', 'Statement'))
    .map((it) => ((it as Tree)['Fn::If'] === undefined ? it : at(it, 'Fn::If', 1)))
    .map((it) => ({ actions: listOf(at(it, 'Action')), resources: listOf(at(it, 'Resource')) }));
}

/** What is called only where HOSTED_ZONE is a name. */
const BY_NAME = 'route53:ListHostedZonesByName';

describe('the role of the instances', () => {
  it('allows just the calls that the appliance makes', () => {
    const allowed = statementsOf('appliance').flatMap(({ actions }) => actions);
    const called = IAM_ACTIONS.filter((action) => action !== BY_NAME);
    expect(allowed.toSorted()).toEqual(called.toSorted());
  });

  it('need not look for the zone by its name: the appliance is given an id', () => {
    const data = at(template.Resources['Template'], 'Properties', 'LaunchTemplateData', 'UserData');
    const [script, { ZoneId }] = at(data, 'Fn::Base64', 'Fn::Sub') as readonly [string, Tree];
    expect(script).toMatch(/^HOSTED_ZONE=\$\{ZoneId\}$/m);
    expect(ZoneId).toEqual({ 'Fn::If': ['MakesZone', { Ref: 'Zone' }, { Ref: 'HostedZoneId' }] });
    expect(template.Conditions['MakesZone']).toEqual({ 'Fn::Equals': [{ Ref: 'HostedZoneId' }, ''] });
    const pattern = new RegExp(textAt(template.Parameters['HostedZoneId'], 'AllowedPattern'));
    expect(['Z0123456789ABC', 'example.org'].filter((it) => pattern.test(it))).toEqual(['Z0123456789ABC']);
  });

  it('names what a call may touch, but where AWS knows no way to', () => {
    const everywhere = statementsOf('appliance')
      .filter(({ resources }) => resources.includes('*'))
      .flatMap(({ actions }) => actions);
    for (const action of everywhere) expect(action).toMatch(/^[a-z0-9]+:Describe/);
  });

  it('is explained, call by call', async () => {
    const text = await page('iam.md');
    for (const action of IAM_ACTIONS) expect(text).toContain(`\`${action}\``);
  });
});

describe('the network', () => {
  it('opens etcd to the given sources, and all three ports to the members', () => {
    const rules = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').map(([, { Properties }]) => {
      const { CidrIp, SourceSecurityGroupId, FromPort, ToPort, IpProtocol } = Properties as Tree;
      return [IpProtocol, FromPort, ToPort, CidrIp ?? SourceSecurityGroupId];
    });
    expect(rules).toEqual([
      ['tcp', 2378, 2380, { 'Fn::GetAtt': ['Members', 'GroupId'] }],
      ['tcp', 2379, 2379, { Ref: 'ClientCidr' }],
      ['tcp', 2379, 2379, { Ref: 'ClientSecurityGroup' }],
    ]);
    expect(template.Resources['Members']).not.toHaveProperty('Properties.SecurityGroupIngress');
  });
});

describe('the group', () => {
  it('has its hooks from its first instance on', () => {
    expect(resourcesOf(template, 'AWS::AutoScaling::LifecycleHook')).toEqual([]);
    const hooks = listOf(at(template.Resources['Group'], 'Properties', 'LifecycleHookSpecificationList'));
    expect(hooks.map((it) => at(it, 'LifecycleTransition'))).toEqual([
      'autoscaling:EC2_INSTANCE_LAUNCHING',
      'autoscaling:EC2_INSTANCE_TERMINATING',
    ]);
  });

  it('keeps whom the quorum needs for a night, and a launch for longer than a birth may wait', () => {
    // AWS gives a hook's action 100 times its timeout, heartbeats or not.
    const hooks = listOf(at(template.Resources['Group'], 'Properties', 'LifecycleHookSpecificationList'));
    const [launching = 0, terminating = 0] = hooks.map(
      (it) => (Number(at(it, 'HeartbeatTimeout')) * 100) / 3_600,
    );
    expect(terminating).toBeGreaterThan(8);
    expect(textAt(template.Parameters['BootstrapWait'], 'ConstraintDescription')).toContain('up to 12h');
    expect(launching).toBeGreaterThan(12);
  });

  it('comes after all that IAM may refuse', () => {
    const before = listOf(at(template.Resources['Group'], 'DependsOn'));
    expect(before).toContain('KeepBalanceRole');
    expect(JSON.stringify(template.Resources['KeepBalanceRole'])).not.toContain('${Group}');
  });

  it('is refreshed where its launch template changes, the new instance before the old', () => {
    expect(at(template.Resources['Group'], 'UpdatePolicy', 'AutoScalingInstanceRefresh')).toMatchObject({
      Strategy: 'Rolling',
      Preferences: { MinHealthyPercentage: 100, MaxHealthyPercentage: 110 },
    });
  });
});

const filters = resourcesOf(template, 'AWS::Logs::MetricFilter').map(([, { Properties }]) => ({
  metric: textAt(Properties, 'MetricTransformations', 0, 'MetricName'),
  pattern: textAt(Properties, 'FilterPattern'),
}));
const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').map(
  ([, { Properties }]) => Properties as Tree,
);

/** The metrics that a line counts for. */
const metricsOf = (line: string): readonly string[] =>
  filters.filter(({ pattern }) => finds(pattern, line)).map(({ metric }) => metric);

/** The appliance's log, and its lines. */
async function openLog() {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line), flush: async () => undefined };
  const log = (await createLog({ level: 'info', pretty: false, output })).component('app');
  return { lines, log };
}

/** The line that the appliance writes. */
async function logged(fields: object, message: string): Promise<string> {
  const { lines, log } = await openLog();
  log.info(fields, message);
  return lines.join('');
}

/** A chronicle with the lines that it writes, and the state that it keeps. */
async function chronicled() {
  const { lines, log } = await openLog();
  const state = createState();
  const none = (): void => undefined;
  const clock = { now: () => 0, wallTime: () => '', sleep: async () => undefined };
  const meter = {
    planned: none,
    acted: none,
    restarted: none,
    evicted: none,
    dnsWritten: none,
    ticked: none,
  };
  return { ...createChronicle(state, { clock, log, meter }), lines, state };
}

/** The line of each minute, of an appliance whose state was changed so. */
async function standing(change: (state: ReturnType<typeof createState>) => void): Promise<string> {
  const state = createState();
  change(state);
  return await logged(standingLine(state), 'stands');
}

describe('the metrics of the log', () => {
  it('are seen by alarms, each of them', () => {
    const seen = alarms
      .filter(({ Namespace }) => typeof Namespace === 'object')
      .map(({ MetricName }) => MetricName);
    expect(seen.toSorted()).toEqual(filters.map(({ metric }) => metric).toSorted());
  });

  it('have patterns that AWS takes', () => {
    for (const { pattern } of filters) expect(pattern.length).toBeLessThanOrEqual(1024);
  });

  it('count who serves, and who does not', async () => {
    expect(metricsOf(await standing((state) => void (state.notReady = null)))).toEqual(['Serves']);
    expect(metricsOf(await standing(() => undefined))).toEqual(['ServesNot']);
  });

  it('count who keeps house', async () => {
    const line = await standing((state) => {
      state.notReady = null;
      state.keepsHouse = true;
    });
    expect(metricsOf(line)).toEqual(['Serves', 'KeepsHouse']);
  });

  it.each([
    ['quorum-lost', 'QuorumLost'],
    ['name-taken', 'WaitsForPerson'],
    ['data-beside-formed', 'WaitsForPerson'],
    ['member-refused', 'WaitsForPerson'],
    ['start-refused', 'WaitsForPerson'],
    ['fleet-unknown', 'AwsRefuses'],
    ['firewall-unknown', 'AwsRefuses'],
    ['lock-no-space', 'NoSpace'],
  ])('count a plan with %s', async (code, metric) => {
    const line = await standing((state) => void state.plans.set('start', [reason(code, 'because')]));
    expect(metricsOf(line)).toEqual(['ServesNot', metric]);
  });

  it('count data of another claim at each start: that ends the appliance before it stands for a minute', async () => {
    const chronicle = await chronicled();
    chronicle.plan('start', [reason('register-moved', 'another zone is configured')]);
    expect(chronicle.lines.flatMap(metricsOf)).toEqual(['WaitsForPerson']);
  });

  it('count no code that only begins or ends alike', async () => {
    const line = await standing((state) => void state.plans.set('start', [reason('not-quorum-lost', '')]));
    expect(metricsOf(line)).toEqual(['ServesNot']);
  });

  it('count an etcd without space, for as long as it says so', async () => {
    const line = await standing((state) => {
      state.ownStatus = known(status(1, { errors: ['memberID:2 alarm:NOSPACE '] }));
    });
    expect(metricsOf(line)).toEqual(['ServesNot', 'NoSpace']);
  });

  it('count an upgrade that stands still', async () => {
    const line = await standing((state) => {
      state.upgrade = planWithout({ kind: 'none', reason: reason('upgrade-failed', 'it did not come up') });
    });
    expect(metricsOf(line)).toEqual(['ServesNot', 'UpgradeStands']);
  });

  it.each([
    'busy',
    'unknown',
    'names-refused',
    'firewall-refused',
    'firewall-full',
    'firewall-unknown',
    'fleet-unknown',
  ])('count %s once, where AWS does not do what was asked', async (code) => {
    const chronicle = await chronicled();
    if (code === 'fleet-unknown') chronicle.plan('start', [reason(code, 'no answer')]);
    else chronicle.trouble('change', reason(code, 'throttled'));
    const lines = [...chronicle.lines, await logged(standingLine(chronicle.state), 'stands')];
    expect(lines.flatMap(metricsOf).toSorted()).toEqual(['AwsRefuses', 'ServesNot']);
  });

  it.each([
    ['liveness-failed', 'etcd-ended'],
    ['start-hangs', 'etcd-ended'],
    [null, 'etcd-ended'],
    [null, 'start-failed'],
  ])('count an etcd that comes to an end once (%s, %s)', async (hangs, ends) => {
    const chronicle = await chronicled();
    if (hangs !== null) {
      chronicle.plan('liveness', [reason(hangs, 'it is silent')]);
      chronicle.trouble('restart-etcd', reason(hangs, 'it is silent'));
    }
    chronicle.trouble('etcd', reason(ends, 'it is over'));
    expect(chronicle.lines.flatMap(metricsOf)).toEqual(['EtcdEnded']);
  });

  it('count lines of etcd', () => {
    const slow = '{"component":"etcd","level":"warn","msg":"slow fdatasync","took":"1.2s"}';
    expect(metricsOf(slow)).toEqual(['SlowDisk']);
  });

  it('ask for codes that are explained to operators', async () => {
    const text = await page('operations.md');
    const codes = filters.flatMap(({ pattern }) => [
      ...pattern.matchAll(/"\*? ?([a-z]+(?:-[a-z]+)+) ?\*?"/g),
    ]);
    expect(codes.length).toBeGreaterThan(20);
    for (const [, code] of codes) expect(text).toContain(`\`${code}\``);
  });
});

describe('the alarms', () => {
  it('bear the loss of one line in a period where each minute has to have one', () => {
    const alarm = at(template.Resources['ServesNotAlarm'], 'Properties');
    const lines = Number(at(alarm, 'Period')) / 60;
    expect(at(alarm, 'Threshold')).toBe(lines - 1);
  });

  it.each([
    ['ServesAlarm', 'five minutes'],
    ['KeepsHouseAlarm', 'ten minutes'],
  ])('that silence raises (%s) look by the minute: some periods more have to pass', (name, said) => {
    const alarm = at(template.Resources[name], 'Properties');
    const periods = Number(at(alarm, 'EvaluationPeriods'));
    expect(at(alarm, 'TreatMissingData')).toBe('breaching');
    expect(at(alarm, 'Period')).toBe(60);
    expect(textAt(alarm, 'AlarmDescription')).toContain(said);
    expect(periods).toBe(said === 'five minutes' ? 5 : 10);
    // A minute without a line, as one came late, is none in which nobody served: it takes all of them.
    expect(at(alarm, 'DatapointsToAlarm')).toBe(periods);
  });

  it('bear a leader that dies: until the next is elected, an appliance may say once that there is no quorum', () => {
    const alarm = at(template.Resources['QuorumLostAlarm'], 'Properties');
    expect(Number(at(alarm, 'Threshold'))).toBe(2);
    // The one that is left says so each minute.
    expect(Number(at(alarm, 'Period')) / 60).toBeGreaterThan(2);
  });

  it('bear seven instances that are replaced for a newer etcd: the steps begin when all have it', () => {
    const alarm = at(template.Resources['UpgradeStandsAlarm'], 'Properties');
    // One line in each of the periods is enough.
    const minutes = ((Number(at(alarm, 'DatapointsToAlarm')) - 1) * Number(at(alarm, 'Period'))) / 60;
    const anInstance = 3.5;
    expect(minutes).toBeGreaterThan(7 * anInstance);
  });

  it('each have a section of the runbook, and it names them', async () => {
    const text = await page('alarms.md');
    const sections = new Map(text.split(/^## /m).map((it) => [it.split('\n')[0] ?? '', it]));
    for (const alarm of alarms) {
      const title = /See docs\/alarms\.md, (.*)\.$/.exec(textAt(alarm, 'AlarmDescription'))?.[1] ?? '';
      const suffix = textAt(alarm, 'AlarmName', 'Fn::Sub').replace('${AWS::StackName}', '');
      expect(sections.get(title), title).toContain(suffix);
    }
  });
});
