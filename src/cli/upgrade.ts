import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { openRefreshes } from '../app-refresh.ts';
import { openClusterUpgrade } from '../app-upgrade.ts';
import type { ClusterUpgrade } from '../app-upgrade.ts';
import type { Config } from '../config.ts';
import { isRefused, known } from '../core/known.ts';
import { planUpgrade } from '../core/plan-upgrade.ts';
import type { UpgradePlan } from '../core/plan-upgrade.ts';
import type { UpgradeObservation } from '../core/upgrade.ts';
import { ApplianceError, EXIT } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';
import { readerGone } from './reader.ts';
import { follow } from './upgrade-follow.ts';
import type { Rest } from './upgrade-follow.ts';
import { findPlace } from './upgrade-place.ts';
import type { Place } from './upgrade-place.ts';
import { createRefreshRun } from './upgrade-refresh.ts';
import type { RefreshRun } from './upgrade-refresh.ts';
import { lackingOf, reportOf } from './upgrade-report.ts';
import type { Report } from './upgrade-report.ts';
import { createUpgradeView } from './upgrade-view.ts';
import type { UpgradeView } from './upgrade-view.ts';
import { ordersOf, readWish, withOrders } from './upgrade-wish.ts';
import type { Order, UpgradeOptions, Wish } from './upgrade-wish.ts';

/** `etcd-appliance upgrade`: shows, orders, stops and follows the upgrade of a cluster, from anywhere (design.md section 5). */
export function addUpgradeCommand(program: Command): void {
  program
    .command('upgrade')
    .description("show, order, stop and follow the upgrade of a cluster's etcd, from anywhere")
    .argument('[name]', 'the cluster, as demo or demo.example.org; without it, that of STACK_NAME')
    .option(...CONFIG_OPTION)
    .option('--endpoint <address>', 'the address of a member, where the hosted zone is not at hand')
    .option('--to <version>', 'order etcd of this minor (3.6) or version (3.6.16), up or down')
    .option('--dry-run', 'show what would happen, and change nothing')
    .option('--pause', 'let no further step begin; one under way is ended')
    .option('--resume', 'let it go on after a pause or a failed step')
    .option('--abort', 'take the order back: ETCD_VERSION of each instance counts again')
    .option('--refresh', "where images lack the target: replace them by the group's instance refresh")
    .option('--json', 'one JSON object a line, one for each change')
    .option('--no-follow', 'do not wait for its end')
    .addHelpText('after', EXITS)
    .action(async (given: string | undefined, options: UpgradeOptions) => {
      const wish = readWish(options);
      const { config } = await loadFromEnvironment(options.config);
      const place = await findPlace(given, options.endpoint, config);
      process.exitCode = await untilInterrupted(place, wish, async (signal) =>
        run({ place, wish, config, endpoint: options.endpoint }, signal),
      );
    });
}

const EXITS = `
Exit codes: 0 every member runs what it should, or what was asked for is written;
1 it stands still until somebody mends something, was refused, or was not followed to its end;
64 the command line is wrong; 69 Route 53, AWS or every member is silent; 78 the configuration is wrong.`;

/** Runs until it ends, is interrupted, or nobody reads what it says: the upgrade itself goes on then. */
async function untilInterrupted(
  { words }: Place,
  wish: Wish,
  work: (signal: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  readerGone().addEventListener('abort', interrupt, { once: true });
  try {
    return await work(interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    speak(
      wish,
      `not followed any more: what is under way goes on by itself. Stop it between two steps: etcd-appliance upgrade ${words} --pause`,
    );
    return EXIT.failed;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Words for people: with --json standard output is for programs. */
function speak({ json }: Wish, sentence: string): void {
  (json ? process.stderr : process.stdout).write(`${sentence}\n`);
}

interface Task {
  readonly place: Place;
  readonly wish: Wish;
  readonly config: Config;
  readonly endpoint: string | undefined;
}

async function run(task: Task, signal: AbortSignal): Promise<ExitCode> {
  const { place, wish, config } = task;
  if (wish.refresh && place.groups.length === 0)
    throw new ApplianceError(
      { code: 'usage' },
      '--refresh has to know the groups, which the claim names: name the cluster instead of --endpoint',
    );
  using upgrade = openClusterUpgrade({ ...place, statusPort: config.statusPort });
  const view = createUpgradeView(wish.json, process.stdout);
  try {
    const seen = await firstLook(upgrade, signal);
    const intent = intentOf(wish, seen);
    const lacking = refuse(task, seen, intent);
    if (wish.dryRun) return dryRun(task, intent, lacking, view);
    using groups = place.groups.length === 0 ? null : openRefreshes(place.groups);
    const refreshes = groups === null ? null : createRefreshRun(groups);
    if (wish.refresh && lacking.length > 0) await refreshes?.check(signal);
    await write(upgrade, intent.orders, signal);
    if (wish.refresh) await startRefresh(task, refreshes, lacking, signal);
    if (!wish.follow) return showOnce(task, intent, view);
    const rest = await follow(
      {
        cluster: place.cluster,
        upgrade,
        view,
        orders: intent.orders,
        refreshes,
        rediscover: async () => await rediscover(task),
      },
      signal,
    );
    view.end();
    return end(task, rest);
  } finally {
    view.end();
  }
}

const FIRST_LOOK_LIMIT_MS = 10_000;
const LOOK_AGAIN_MS = 500;

/** The cluster as it is; a leader that steps down right now leaves it unseen for a moment. */
async function firstLook(upgrade: ClusterUpgrade, signal: AbortSignal): Promise<UpgradeObservation> {
  const until = performance.now() + FIRST_LOOK_LIMIT_MS;
  for (;;) {
    const seen = await upgrade.look(signal);
    if (seen.known) return seen.value;
    if (isRefused(seen) || performance.now() >= until)
      throw new ApplianceError({ code: 'unavailable', service: 'etcd' }, seen.reason);
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** What is to be written, and the plan of the appliances once that is done. */
interface Intent {
  readonly orders: readonly Order[];
  readonly after: UpgradeObservation;
  readonly plan: UpgradePlan;
}

function intentOf(wish: Wish, seen: UpgradeObservation): Intent {
  if (!seen.record.known) {
    if (wish.to !== null || wish.pause || wish.resume || wish.abort)
      throw new ApplianceError(
        { code: 'conflict', what: 'upgrade' },
        `nothing was written: ${seen.record.reason}`,
      );
    return { orders: [], after: seen, plan: planUpgrade(seen) };
  }
  const orders = ordersOf(wish, seen.record.value, new Date().toISOString());
  const after = { ...seen, record: known(withOrders(seen.record.value, orders)) };
  return { orders, after, plan: planUpgrade(after) };
}

/** What images lack, as clauses. Throws `conflict` for an order that nobody could follow: it is not written. */
function refuse({ place, wish }: Task, seen: UpgradeObservation, { plan }: Intent): readonly string[] {
  const barring = (code: string) => plan.checks.find((it) => !it.ok && it.code === code);
  const lacks = barring('upgrade-lacks');
  const { to } = wish;
  if (to === null) return lacks === undefined ? [] : [lacks.sentence];
  const { code, sentence } = plan.action.reason;
  const impossible =
    code === 'upgrade-unknown' || code === 'upgrade-apart' ? sentence : barring('upgrade-release')?.sentence;
  if (impossible !== undefined)
    throw new ApplianceError(
      { code: 'conflict', what: 'upgrade' },
      `nothing was written: etcd ${to} cannot be ordered: ${impossible}`,
    );
  const lacking = lackingOf(seen, to);
  if (lacking.length > 0 && !wish.refresh && !wish.dryRun)
    throw new ApplianceError(
      { code: 'conflict', what: 'upgrade' },
      `nothing was written: ${lacking.join('; ')}. Give the group an image that has it, then: ${refreshCommand(place, to)}`,
    );
  return lacking;
}

function refreshCommand({ words }: Place, to: string | null): string {
  return `etcd-appliance upgrade ${words}${to === null ? '' : ` --to ${to}`} --refresh`;
}

function dryRun(
  { place, wish }: Task,
  { orders, after, plan }: Intent,
  lacking: readonly string[],
  view: UpgradeView,
): ExitCode {
  const report = reportOf(place.cluster, after, plan, { orders, dryRun: true, refresh: null });
  view.show(report, []);
  view.end();
  if (lacking.length > 0) {
    const refresh = wish.refresh
      ? 'the group would be refreshed'
      : `it takes ${refreshCommand(place, wish.to)}`;
    speak(wish, `${lacking.join('; ')}: ${refresh}`);
  }
  return isBarred(report) || (lacking.length > 0 && !wish.refresh) ? EXIT.failed : EXIT.done;
}

/** Each order is one put. Throws `unavailable`: whether that one was taken is not known, and calling again mends it. */
async function write(upgrade: ClusterUpgrade, orders: readonly Order[], signal: AbortSignal): Promise<void> {
  for (const { part, value, sentence } of orders) {
    const put = await upgrade.write(part, value, signal);
    if (!put.known)
      throw new ApplianceError(
        { code: 'unavailable', service: 'etcd' },
        `whether it was written is not known (${sentence}): ${put.reason}; call it again`,
      );
  }
  if (orders.length > 0) await upgrade.ring(signal);
}

async function startRefresh(
  { wish }: Task,
  refreshes: RefreshRun | null,
  lacking: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (lacking.length === 0) speak(wish, 'every image has what it takes: no instance is replaced');
  else await refreshes?.start(signal);
}

function showOnce({ place, wish }: Task, intent: Intent, view: UpgradeView): ExitCode {
  const { orders, after, plan } = intent;
  const report = reportOf(place.cluster, after, plan, { orders, dryRun: false, refresh: null });
  view.show(report, []);
  view.end();
  if (wish.pause) speak(wish, pauseWords(report, place));
  if (wish.abort && orders.length === 0) speak(wish, 'there is no order to take back');
  // What was to stop stands still as it should.
  return isBarred(report) && !wish.pause && !wish.abort ? EXIT.failed : EXIT.done;
}

/** There is something to upgrade, and nothing that is planned brings it on. */
function isBarred({ standing }: Report): boolean {
  return standing === 'stands' || standing === 'waits';
}

function pauseWords({ lockedBy }: Report, { words }: Place): string {
  const ending = lockedBy === null ? 'no step is under way' : `the step of ${lockedBy} is ended first`;
  return `paused: ${ending}; go on with: etcd-appliance upgrade ${words} --resume`;
}

async function rediscover({ place, config, endpoint }: Task): Promise<readonly string[]> {
  if (endpoint !== undefined) return [];
  try {
    return (await findPlace(place.cluster, undefined, config)).addresses;
  } catch {
    // It is asked again as long as nobody else answers.
    return [];
  }
}

function end({ place, wish }: Task, { verdict, report }: Rest): ExitCode {
  if (verdict.kind === 'done') {
    const to = report.record?.to ?? null;
    const versions = [...new Set(report.members.map((it) => it.runs))].join(', ');
    const order = to === null ? '' : `; the order for ${to} stays until --abort takes it back`;
    speak(wish, `done: every member runs what it aims at (etcd ${versions})${order}`);
    return EXIT.done;
  }
  const { code } = report.plan;
  const hints: Readonly<Record<string, string>> = {
    'upgrade-paused': `go on with: etcd-appliance upgrade ${place.words} --resume`,
    'upgrade-failed': `try again with: etcd-appliance upgrade ${place.words} --resume`,
    'upgrade-lacks': `once the group has that image: ${refreshCommand(place, null)}`,
  };
  const hint = hints[code] ?? 'it goes on by itself once that is mended';
  process.stderr.write(`etcd-appliance: the upgrade stands still: ${verdict.why}; ${hint}\n`);
  return EXIT.failed;
}
