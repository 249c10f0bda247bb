import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { createLogUpdate } from 'log-update';
import { EXIT } from '../errors.ts';
import { createAdmin } from '../etcd/admin.ts';
import type { EtcdAdmin } from '../etcd/admin.ts';
import { listBinaries, newestBinary } from '../etcd/binaries.ts';
import type { EtcdBinary } from '../etcd/binaries.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { sandboxId } from '../sandbox/state-dir.ts';
import { viewInstances, viewNames, whatIsMissing } from './demo-view.ts';
import type { InstanceView, NamesView } from './demo-view.ts';
import { runScript } from './demo-script.ts';
import type { ScriptReport } from './demo-script.ts';
import { etcdDirectory, installVersion, releasesUrl } from './etcd.ts';
import { readerGone } from './reader.ts';
import { checkProgram } from './sandbox-checks.ts';
import { stopAsked } from './sandbox-start.ts';
import { renderTable } from './sandbox-text.ts';

/** What is installed for a demo where no etcd is there. */
const DEMO_MINOR = '3.6';
const REDRAW_MS = 400;
/** Sentences about what is not as it should be: more of them say no more. */
const MOST_MISSING = 3;

interface DemoOptions {
  readonly script?: true;
  readonly json?: true;
  readonly program?: string;
}

/** `etcd-appliance demo`: a cluster of three in the sandbox, to be broken by hand; with `--script`, by itself. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('a cluster of three in the sandbox, shown live')
    .option('--script', 'form, break and heal it without a person, check each step, and end')
    .option('--json', 'with --script: print the result as one JSON object on the last line')
    .option('--program <file>', 'what instances run instead of this program, as dist/main.js')
    .action(async (options: DemoOptions) => {
      await checkProgram(options.program);
      const binary = await ensureEtcd(options.json === true);
      await using sandbox = await createSandbox({
        parent: tmpdir(),
        searchPath: process.env['PATH'] ?? '',
        etcdDir: etcdDirectory(),
        group: { desired: 3, min: 0, max: 9 },
        ...(options.program === undefined ? {} : { program: options.program }),
      });
      using admin = createAdmin({ deadlineMs: 1_000 });
      if (options.script) process.exitCode = await script(sandbox, admin, options.json === true);
      else await live(sandbox, admin, binary);
    });
}

/** The newest etcd on this machine; installs one, with a progress bar, where there is none. */
async function ensureEtcd(quiet: boolean): Promise<EtcdBinary> {
  const directory = etcdDirectory();
  const signal = new AbortController().signal;
  const there = newestBinary((await listBinaries(directory, signal)).binaries);
  if (there !== null) return there;
  if (!quiet) print(`no etcd in ${directory}: installing ${DEMO_MINOR}`);
  return installVersion(DEMO_MINOR, { dir: directory, baseUrl: releasesUrl() });
}

async function script(sandbox: Sandbox, admin: EtcdAdmin, json: boolean): Promise<number> {
  const interrupted = new AbortController();
  void stopAsked(sandbox).then(() => interrupted.abort());
  const report = await runScript({ sandbox, admin, say: print, signal: interrupted.signal });
  if (json) print(JSON.stringify(report));
  else print(`${endOf(report)} ${report.totalMs} ms`);
  return report.ok ? EXIT.done : EXIT.failed;
}

function endOf({ ok, interrupted }: ScriptReport): string {
  if (interrupted) return 'interrupted after';
  return ok ? 'done in' : 'failed after';
}

/** Shows the cluster until somebody interrupts, or nobody looks. On a terminal it redraws; elsewhere it prints what changed. */
async function live(sandbox: Sandbox, admin: EtcdAdmin, binary: EtcdBinary): Promise<void> {
  const startedAt = performance.now();
  const stopped = new AbortController();
  void stopAsked(sandbox).then(() => stopped.abort());
  readerGone().addEventListener('abort', () => stopped.abort(), { once: true });
  await sandbox.start();
  const screen = createScreen();
  let whole = false;
  while (!stopped.signal.aborted) {
    const [instances, names] = await Promise.all([
      viewInstances(sandbox, admin, stopped.signal),
      viewNames(sandbox),
    ]).catch(() => [null, null] as const);
    if (instances === null || names === null) break;
    const missing = whatIsMissing(desiredOf(sandbox), instances, names);
    if (!whole && missing.length === 0) {
      whole = true;
      screen.keep(`formed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      screen.keep(renderCommands(sandbox, binary, instances));
    }
    screen.draw(whole ? renderCluster(sandbox, instances, names, missing) : renderProgress(instances));
    await delay(REDRAW_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
  }
  screen.end();
  if (!stopped.signal.aborted) await once(stopped.signal, 'abort');
}

function desiredOf({ cloud, addresses }: Sandbox): number {
  return cloud.describe().groups.find(({ name }) => name === addresses.group)?.desired ?? 0;
}

/** Something to draw on: what is kept stays above what is drawn again and again. */
interface Screen {
  readonly keep: (text: string) => void;
  readonly draw: (text: string) => void;
  readonly end: () => void;
}

function createScreen(): Screen {
  if (process.stdout.isTTY) {
    const update = createLogUpdate(process.stdout, { showCursor: false });
    return {
      keep: (text) => {
        update.clear();
        print(text);
      },
      draw: (text) => update(text),
      end: () => update.done(),
    };
  }
  const before = new Set<string>();
  return {
    keep: print,
    // Only lines that were not there the last time: a log, not a film.
    draw: (text) => {
      const lines = text.split('\n');
      for (const line of lines) if (line !== '' && !before.has(line)) print(line);
      before.clear();
      for (const line of lines) before.add(line);
    },
    end: () => undefined,
  };
}

function renderProgress(instances: readonly InstanceView[]): string {
  return instances
    .map(
      ({ instanceId, zone, address, phase, role }) => `${instanceId}  ${zone}  ${address}  ${role ?? phase}`,
    )
    .join('\n');
}

function renderCluster(
  sandbox: Sandbox,
  instances: readonly InstanceView[],
  names: NamesView,
  missing: readonly string[],
): string {
  const rows = instances.map((instance) => [
    instance.instanceId,
    instance.zone,
    instance.address,
    instance.role ?? '-',
    instance.raftIndex === null ? '-' : String(instance.raftIndex),
    instance.healthy ? 'healthy' : instance.phase,
  ]);
  return [
    renderTable(['instance', 'zone', 'address', 'role', 'raft index', 'health'], rows),
    `${sandbox.addresses.clusterName}: ${names.addresses.join(' ') || 'no address'}`,
    ...sandbox.cloud.faults
      .list()
      .map(({ id, kind, service, instance }) => `${id}: ${kind}, ${service} asked by ${instance}`),
    missing.length === 0
      ? 'all is well (Ctrl-C ends it, and leaves nothing behind)'
      : [...missing.slice(0, MOST_MISSING), ...(missing.length > MOST_MISSING ? ['…'] : [])].join('\n'),
  ].join('\n');
}

/** What to try in another terminal, ready to be copied. */
function renderCommands(sandbox: Sandbox, binary: EtcdBinary, instances: readonly InstanceView[]): string {
  const { dns, clusterName, control, stateDir } = sandbox.addresses;
  const [first] = instances;
  const id = instances.find(({ role }) => role === 'follower')?.instanceId ?? first?.instanceId ?? '';
  // The same Node and the same program: another terminal may find an older Node, which cannot run it.
  const [node, main] = [process.execPath, process.argv[1] ?? ''].map((path) => {
    const near = relative(process.cwd(), path);
    return near.startsWith('..') ? path : near;
  });
  const etcdctl = `${binary.etcdutl === null ? 'ETCDCTL_API=3 ' : ''}${binary.etcdctl}`;
  return [
    '',
    'Try, in another terminal:',
    `  cd ${process.cwd()}`,
    `  dig @${dns.address} -p ${dns.port} +short ${clusterName}`,
    `  dig @${dns.address} -p ${dns.port} +short SRV _etcd-client._tcp.${clusterName}`,
    `  export ETCDCTL_ENDPOINTS=${instances.map(({ address }) => `http://${address}:2379`).join(',')}`,
    `  ${etcdctl} endpoint status -w table`,
    `  curl -s http://${first?.address}:2378/members`,
    `  curl -s ${control}/state`,
    `  sandbox() { ${node} ${main} sandbox "$@" --sandbox ${sandboxId(stateDir)}; }`,
    `  sandbox terminate ${id}`,
    `  sandbox kill-etcd ${id}`,
    '  sandbox scale 5',
    '  sandbox fault error --service route53    # sandbox lift: ends it',
    `  sandbox cut ${id} aws    # sandbox cut ${id} none: mends it`,
    '  sandbox events --follow',
    '',
  ].join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
