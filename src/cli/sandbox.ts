import { tmpdir } from 'node:os';
import type { Command } from 'commander';
import { INSTANCE_VERBS } from '../sandbox/control.ts';
import type { InstanceVerb, SandboxState } from '../sandbox/control.ts';
import { createControlClient } from '../sandbox/control-client.ts';
import type { ControlClient } from '../sandbox/control-client.ts';
import { CUT_FROM } from '../sandbox/cuts.ts';
import type { CutFrom } from '../sandbox/cuts.ts';
import type { CloudEvent, FaultKind, FaultRequest, Service } from '../sandbox/model.ts';
import { runningSandboxes, sandboxId } from '../sandbox/state-dir.ts';
import { readerGone } from './reader.ts';
import { numberOf, usage, wordOfInstance } from './sandbox-checks.ts';
import { addSandboxStart, variableOf } from './sandbox-start.ts';
import { renderEvent, renderState } from './sandbox-text.ts';

/** Those that are told more than an instance. */
const VERBS_WITH_WORDS = ['configure', 'cut', 'terminate'] as const satisfies readonly InstanceVerb[];
type VerbWithWords = (typeof VERBS_WITH_WORDS)[number];

const WHAT_VERBS_DO: Readonly<Record<Exclude<InstanceVerb, VerbWithWords>, string>> = {
  'power-cut': 'kill everything on an instance at once; the group notices later',
  'kill-etcd': 'kill the etcd of an instance',
  'freeze-etcd': 'stop the etcd of an instance in its tracks',
  'thaw-etcd': 'let a frozen etcd go on',
  'kill-appliance': 'kill the appliance of an instance; its etcd lives on',
  'freeze-appliance': 'stop the appliance of an instance in its tracks',
  'thaw-appliance': 'let a frozen appliance go on',
  'wipe-data': 'start an instance again with an empty disk',
  restart: 'restart the appliance of an instance in order, as with systemctl',
};

interface Common {
  readonly sandbox?: string;
  readonly json?: true;
}

/** `etcd-appliance sandbox …`: starts a sandbox, and does to a running one what can happen to a cloud. */
export function addSandboxCommands(program: Command): void {
  const sandbox = program
    .command('sandbox')
    .description('a cloud on this machine, to try and to break things in');
  addSandboxStart(sandbox);
  addLooks(sandbox);
  addInstanceVerbs(sandbox);
  addConfigure(sandbox);
  addFaultVerbs(sandbox);
  addSettings(sandbox);
}

/** A verb of a running sandbox. */
function verb(sandbox: Command, name: string, description: string): Command {
  return sandbox
    .command(name)
    .description(description)
    .option('--sandbox <id>', 'which sandbox, where more than one runs');
}

function addLooks(sandbox: Command): void {
  verb(sandbox, 'state', 'show the instances, the records and the faults')
    .option('--json', 'as JSON')
    .action(async (options: Common) => {
      const state = await (await clientOf(options)).state();
      print(options.json ? JSON.stringify(state, null, 2) : renderState(state));
    });
  verb(sandbox, 'events', 'show what happened')
    .option('--since <number>', 'only what came after this one', numberOf, 0)
    .option('--follow', 'and what happens from now on, until interrupted')
    .option('--json', 'one JSON object a line')
    .action(async (options: Common & { since: number; follow?: true }) => {
      const client = await clientOf(options);
      const show = (event: CloudEvent): void =>
        print(options.json ? JSON.stringify(event) : renderEvent(event));
      if (options.follow) await client.follow(options.since, show, readerGone());
      else for (const event of await client.events(options.since)) show(event);
    });
  verb(sandbox, 'stop', 'end the sandbox and all that runs in it').action(async (options: Common) => {
    await (await clientOf(options)).shutdown();
  });
}

function addInstanceVerbs(sandbox: Command): void {
  verb(sandbox, 'terminate', 'terminate an instance in order, as EC2 does')
    .argument('<instance>', 'id, the beginning of one, or address', wordOfInstance)
    .option('--decrement', 'through Auto Scaling, and let the group be smaller by one')
    .option('--replace', 'through Auto Scaling, and have it replaced at once')
    .action(async (instance: string, options: Common & { decrement?: true; replace?: true }) => {
      const body = options.decrement ? { decrement: true } : options.replace ? { decrement: false } : {};
      await onInstance(options, instance, 'terminate', body);
    });
  for (const name of INSTANCE_VERBS) {
    if (hasWords(name)) continue;
    verb(sandbox, name, WHAT_VERBS_DO[name])
      .argument('<instance>', 'id, the beginning of one, or address', wordOfInstance)
      .action(async (instance: string, options: Common) => onInstance(options, instance, name, {}));
  }
  addCut(sandbox);
  verb(sandbox, 'scale', 'set how many instances the group has')
    .argument('<desired>', 'number of instances', numberOf)
    .option('--group <name>', 'which group; default: the one made at the start')
    .option('--region <name>', 'where, with more than one region')
    .action(async (desired: number, options: Common & { group?: string; region?: string }) => {
      const client = await clientOf(options);
      const group = options.group ?? (await client.state()).addresses.group;
      await client.scale(group, desired, options.region);
    });
}

function addCut(sandbox: Command): void {
  verb(sandbox, 'cut', 'cut an instance or a region off, or mend it again (none)')
    .usage('[options] <instance> [from]\n       etcd-appliance sandbox cut [options] --region <name> [from]')
    .argument(
      '[words...]',
      `id, the beginning of one, or address; then ${CUT_FROM.join(', ')} (default: both)`,
    )
    .option('--region <name>', 'a whole region in place of an instance')
    .option('--only <instances...>', 'with peers or both: only from these instances')
    .action(async (words: string[], options: Common & { region?: string; only?: string[] }) => {
      if (options.region !== undefined && options.only !== undefined)
        throw usage('--region cuts a whole region off from all others: --only is for an instance');
      const client = await clientOf(options);
      if (options.region !== undefined) {
        await client.cutRegion(options.region, (words[0] ?? 'both') as CutFrom);
        return;
      }
      const [instance, from = 'both'] = words;
      if (instance === undefined) throw usage('whom? name an instance, or a region with --region');
      const state = await client.state();
      const only = options.only?.map((text) => instanceOf(state, text));
      await client.cut(instanceOf(state, instance), {
        from: from as CutFrom,
        ...(only === undefined ? {} : { only }),
      });
    });
}

function hasWords(name: InstanceVerb): name is VerbWithWords {
  return VERBS_WITH_WORDS.some((it) => it === name);
}

function addConfigure(sandbox: Command): void {
  verb(sandbox, 'configure', 'change variables of appliances, each from its next start on')
    .usage('[options] [instance|all] <NAME=value...>')
    .argument('<words...>', 'an instance, or all that run; then the variables, as ETCD_VERSION=3.6')
    .option('--launches', 'those of the instances that are launched from now on, too; or alone')
    .option('--region <name>', 'with all and --launches: only in this region')
    .action(async (words: string[], options: Common & { launches?: true; region?: string }) => {
      const [first = '', ...rest] = words;
      const named = !first.includes('=');
      const variables = Object.fromEntries((named ? rest : words).map(variableOf));
      if (Object.keys(variables).length === 0) throw usage('no variable: write NAME=value');
      if (!named && options.launches === undefined)
        throw usage('whose variables? name an instance, all, or --launches');
      const client = await clientOf(options);
      const ids = named ? runningOf(await client.state(), first, options.region) : [];
      for (const id of ids) await client.configure(id, variables);
      if (options.launches) await client.launchWith(variables, options.region);
    });
}

function runningOf(state: SandboxState, text: string, region: string | undefined): readonly string[] {
  if (text !== 'all') return [instanceOf(state, text)];
  const here = state.cloud.instances.filter((one) => region === undefined || one.region === region);
  const ids = state.machines.map(({ instanceId }) => instanceId);
  return ids.filter((id) => here.some(({ instanceId }) => instanceId === id));
}

interface FaultOptions extends Common {
  readonly service: string;
  readonly action: string;
  readonly instance: string;
  readonly region?: string;
  readonly fromRegion?: string;
  readonly count?: number;
  readonly rate?: number;
  readonly code?: string;
  readonly staleMs?: number;
}

function addFaultVerbs(sandbox: Command): void {
  verb(sandbox, 'fault', 'make calls of AWS go wrong, and print the id of the fault')
    .argument(
      '<kind>',
      'throttle, error, hang, reset, refuse, lost-answer, malformed, empty, half, stale or self-only',
    )
    .option('--service <name>', 'ec2, autoscaling, route53, imds or *', '*')
    .option('--action <name>', 'as DescribeInstances', '*')
    .option('--instance <instance>', 'whose calls', '*')
    .option('--region <name>', 'only what this region is asked; Route 53 has none')
    .option('--from-region <name>', 'only what the instances of this region ask')
    .option('--count <number>', 'ends after so many hits', numberOf)
    .option('--rate <part>', 'which part of the calls is hit, 0 to 1', numberOf)
    .option('--code <name>', "for throttle and error: another error code than the service's usual one")
    .option('--stale-ms <ms>', 'for stale: how old the answers are', numberOf)
    .action(async (kind: string, options: FaultOptions) => {
      const client = await clientOf(options);
      const instance = options.instance === '*' ? '*' : instanceOf(await client.state(), options.instance);
      print((await client.addFault(faultOf(kind, instance, options))).id);
    });
  verb(sandbox, 'lift', 'end a fault, or all')
    .argument('[id]', 'as fault printed it')
    .action(async (id: string | undefined, options: Common) => {
      const client = await clientOf(options);
      await (id === undefined ? client.liftAllFaults() : client.liftFault(id));
    });
}

function faultOf(kind: string, instance: string, options: FaultOptions): FaultRequest {
  const { service, action, region, fromRegion, count, rate, code, staleMs } = options;
  return {
    // The sandbox says what is no kind and no service.
    kind: kind as FaultKind,
    service: service as Service | '*',
    action,
    instance,
    ...(region === undefined ? {} : { region }),
    ...(fromRegion === undefined ? {} : { fromRegion }),
    ...(count === undefined ? {} : { count }),
    ...(rate === undefined ? {} : { rate }),
    ...(code === undefined ? {} : { code }),
    ...(staleMs === undefined ? {} : { staleMs }),
  };
}

function addSettings(sandbox: Command): void {
  verb(sandbox, 'set', 'change settings of the cloud, as launchDelayMs=5000; without any: show them')
    .argument('[settings...]', 'name=value, the value as JSON')
    .option('--region <name>', 'only there; without it, everywhere where nothing else was set')
    .action(async (settings: string[], options: Common & { region?: string }) => {
      const changes = Object.fromEntries(settings.map(settingOf));
      const client = await clientOf(options);
      print(JSON.stringify(await client.changeSettings(changes, options.region), null, 2));
    });
}

function settingOf(text: string): readonly [string, unknown] {
  const [name, value] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
  try {
    return [name, JSON.parse(value)];
  } catch {
    throw usage(`${text} is no setting: write name=value, the value as JSON`);
  }
}

async function onInstance(
  options: Common,
  instance: string,
  name: InstanceVerb,
  body: object,
): Promise<void> {
  const client = await clientOf(options);
  await client.onInstance(instanceOf(await client.state(), instance), name, body);
}

/** The instance that a person means: by id, by the beginning of one, or by address. */
function instanceOf(state: SandboxState, given: string): string {
  const text = wordOfInstance(given);
  const ids = state.cloud.instances
    .filter(({ instanceId, address, publicAddress, state: ec2 }) => {
      if (instanceId === text) return true;
      const named = address === text || publicAddress === text || instanceId.startsWith(text);
      return ec2 !== 'terminated' && named;
    })
    .map(({ instanceId }) => instanceId);
  const [id] = ids;
  if (id === undefined) throw usage(`no instance ${text}: see sandbox state`);
  if (ids.length > 1) throw usage(`${text} fits ${ids.join(', ')}: write more of it`);
  return id;
}

/** The control API of the sandbox that is meant: the only one that runs, or the one that is named. */
async function clientOf({ sandbox }: Common): Promise<ControlClient> {
  const all = await runningSandboxes(tmpdir());
  const fitting = all.filter(({ stateDir }) => sandbox === undefined || sandboxId(stateDir) === sandbox);
  const [one] = fitting;
  if (one === undefined) {
    throw usage(
      sandbox === undefined ? 'no sandbox runs: etcd-appliance sandbox start' : `no sandbox ${sandbox} runs`,
    );
  }
  if (fitting.length > 1) {
    const ids = fitting.map(({ stateDir }) => sandboxId(stateDir)).join(', ');
    throw usage(`more than one sandbox runs: name one of ${ids} with --sandbox`);
  }
  return createControlClient({ socket: one.controlSocket });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
