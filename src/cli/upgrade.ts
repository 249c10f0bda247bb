import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { openRefreshes } from '../app-refresh.ts';
import { openClusterUpgrade } from '../app-upgrade.ts';
import type { ClusterUpgrade } from '../app-upgrade.ts';
import type { Config } from '../config.ts';
import { isRefused, known } from '../core/known.ts';
import type { Lack } from '../core/order-images.ts';
import { planUpgrade } from '../core/plan-upgrade.ts';
import type { UpgradePlan } from '../core/plan-upgrade.ts';
import type { UpgradeObservation } from '../core/upgrade.ts';
import { ApplianceError, EXIT } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';
import { readerGone } from './reader.ts';
import { follow } from './upgrade-follow.ts';
import type { Rest } from './upgrade-follow.ts';
import { findPlace, refreshAdvice } from './upgrade-place.ts';
import type { Place } from './upgrade-place.ts';
import { createRefreshRun } from './upgrade-refresh.ts';
import type { RefreshRun } from './upgrade-refresh.ts';
import { clausesOf, hiddenIn, lackingFor, regionsOf } from './upgrade-refuse.ts';
import { reportOf } from './upgrade-report.ts';
import type { Report } from './upgrade-report.ts';
import { createUpgradeView } from './upgrade-view.ts';
import type { UpgradeView } from './upgrade-view.ts';
import { ordersOf, readWish, withOrders } from './upgrade-wish.ts';
import type { UpgradeOptions, Wish } from './upgrade-wish.ts';
import { writeOrders } from './upgrade-write.ts';
import type { Written } from './upgrade-write.ts';

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
      `--refresh has to know the groups, which the claim names: ${refreshAdvice(place, wish.to)}`,
    );
  using upgrade = openClusterUpgrade({ ...place, statusPort: config.statusPort });
  const view = createUpgradeView(wish.json, process.stdout);
  try {
    const seen = await firstLook(upgrade, wish, signal);
    const intent = intentOf(wish, seen);
    const lacking = lackingFor(place, wish, intent.after, intent.plan);
    if (wish.dryRun) return dryRun(task, intent, lacking, view);
    using groups = place.groups.length === 0 ? null : openRefreshes(place.groups);
    const refreshes = groups === null ? null : createRefreshRun(groups, goOnAdvice(place, intent));
    if (wish.refresh && lacking.length > 0) await refreshes?.check(signal);
    await writeOrders(upgrade, intent, place.words, signal);
    if (wish.refresh) await startRefresh(task, refreshes, lacking, signal);
    if (!wish.follow) return showOnce(task, intent, view);
    const rest = await follow(
      {
        cluster: place.cluster,
        upgrade,
        view,
        orders: intent.orders,
        order: orderOf(intent),
        refreshes,
        rediscover: async () => await rediscover(task),
        clock: {
          now: () => performance.now(),
          sleep: async (ms, until) => await delay(ms, undefined, { signal: until }),
        },
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

/** The cluster as it is; a leader that steps down, or an appliance that starts right now, leaves it unseen for a moment. */
async function firstLook(
  upgrade: ClusterUpgrade,
  { refresh }: Wish,
  signal: AbortSignal,
): Promise<UpgradeObservation> {
  const until = performance.now() + FIRST_LOOK_LIMIT_MS;
  for (;;) {
    const seen = await upgrade.look(signal);
    const isOver = performance.now() >= until;
    if (seen.known && (isOver || !refresh || hiddenIn(seen.value).length === 0)) return seen.value;
    if (!seen.known && (isOver || isRefused(seen)))
      throw new ApplianceError({ code: 'unavailable', service: 'etcd' }, seen.reason);
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** What is to be written, and the plan of the appliances once that is done. */
interface Intent extends Written {
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
    return { orders: [], before: null, after: seen, plan: planUpgrade(seen) };
  }
  const before = seen.record.value;
  const orders = ordersOf(wish, before, new Date().toISOString());
  const after = { ...seen, record: known(withOrders(before, orders)) };
  return { orders, before, after, plan: planUpgrade(after) };
}

/** The order that stands once all is written; undefined: it is not known. */
function orderOf({ after }: Intent): string | null | undefined {
  return after.record.known ? after.record.value.to : undefined;
}

/** What is to be done where the groups are not all refreshed; a clause. */
function goOnAdvice(place: Place, intent: Intent): string {
  const order = orderOf(intent) ?? null;
  const again = `go on with: ${refreshAdvice(place, null)}`;
  return order === null ? again : `the order for etcd ${order} stands until --abort takes it back; ${again}`;
}

function dryRun(
  { place, wish }: Task,
  { orders, after, plan }: Intent,
  lacking: readonly Lack[],
  view: UpgradeView,
): ExitCode {
  const report = reportOf(place.cluster, after, plan, { orders, dryRun: true, refresh: null });
  view.show(report, []);
  view.end();
  if (lacking.length > 0) {
    const refresh = wish.refresh
      ? 'the group would be refreshed'
      : `it takes ${refreshAdvice(place, wish.to)}`;
    speak(wish, `${clausesOf(lacking)}: ${refresh}`);
  }
  return isBarred(report) || (lacking.length > 0 && !wish.refresh) ? EXIT.failed : EXIT.done;
}

async function startRefresh(
  { place, wish }: Task,
  refreshes: RefreshRun | null,
  lacking: readonly Lack[],
  signal: AbortSignal,
): Promise<void> {
  if (lacking.length === 0) speak(wish, 'every image has what it takes: no instance is replaced');
  else await refreshes?.start(regionsOf(place, lacking), signal);
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
    'upgrade-lacks': `once the group has that image: ${refreshAdvice(place, null)}`,
  };
  const hint = hints[code] ?? 'it goes on by itself once that is mended';
  process.stderr.write(`etcd-appliance: the upgrade stands still: ${verdict.why}; ${hint}\n`);
  return EXIT.failed;
}
