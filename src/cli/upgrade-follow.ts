import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterUpgrade } from '../app-upgrade.ts';
import { planUpgrade } from '../core/plan-upgrade.ts';
import type { UpgradeObservation } from '../core/upgrade.ts';
import { ApplianceError } from '../errors.ts';
import { createProgress, fingerprintOf, verdictOf } from './upgrade-progress.ts';
import type { Verdict } from './upgrade-progress.ts';
import type { RefreshRun } from './upgrade-refresh.ts';
import { reportOf } from './upgrade-report.ts';
import type { Report } from './upgrade-report.ts';
import type { UpgradeView } from './upgrade-view.ts';
import type { Order } from './upgrade-wish.ts';

/** What is followed, and where it is shown. */
export interface Followed {
  readonly cluster: string;
  readonly upgrade: ClusterUpgrade;
  readonly view: UpgradeView;
  readonly orders: readonly Order[];
  /** Null: its groups are not known. */
  readonly refreshes: RefreshRun | null;
  /** Addresses of voters, asked anew: of the claim. */
  readonly rediscover: (signal: AbortSignal) => Promise<readonly string[]>;
}

/** How an upgrade came to rest. */
export interface Rest {
  readonly verdict: Exclude<Verdict, { readonly kind: 'goes-on' }>;
  readonly report: Report;
}

/** A step takes seconds, its stages tenths of them. */
const LOOK_MS = 500;

/** A leader that steps leaves nobody to ask for a moment: that is no news. */
const QUIET_MS = 5_000;

/** Nobody answers for so long: it cannot be followed any more. */
const UNSEEN_LIMIT_MS = 60_000;

/** Follows an upgrade until it is done or stands still. Throws `unavailable` where no member answers for a minute. */
export async function follow(followed: Followed, signal: AbortSignal): Promise<Rest> {
  const { upgrade, view } = followed;
  const progress = createProgress();
  const unchanged = createStopwatch();
  const unseen = createStopwatch();
  let order: string | null | undefined;
  for (;;) {
    const seen = await upgrade.look(signal);
    if (seen.known) {
      unseen.restart();
      const report = await reportNow(followed, seen.value, signal);
      const standing = report.record?.to ?? null;
      if (order !== undefined && order !== standing) view.note(newOrder(standing));
      order = standing;
      view.show(report, progress(seen.value));
      const verdict = verdictOf(report, unchanged.since(fingerprintOf(report)));
      if (verdict.kind !== 'goes-on') return { verdict, report };
    } else await outOfSight(followed, unseen, seen.reason, signal);
    await delay(LOOK_MS, undefined, { signal });
  }
}

async function reportNow(
  { cluster, orders, refreshes }: Followed,
  seen: UpgradeObservation,
  signal: AbortSignal,
): Promise<Report> {
  const refresh = (await refreshes?.look(signal)) ?? null;
  return reportOf(cluster, seen, planUpgrade(seen), { orders, dryRun: false, refresh });
}

function newOrder(to: string | null): string {
  return to === null
    ? 'another operator took the order back: ETCD_VERSION of each instance counts'
    : `another operator ordered etcd ${to}: that is followed now`;
}

async function outOfSight(
  { upgrade, view, rediscover }: Followed,
  unseen: Stopwatch,
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  const forMs = unseen.since('unseen');
  if (forMs >= UNSEEN_LIMIT_MS)
    throw new ApplianceError(
      { code: 'unavailable', service: 'etcd' },
      `the upgrade cannot be followed: ${reason}; it goes on without this command, which can be called again`,
    );
  if (forMs < QUIET_MS) return;
  view.note(`cannot be seen for ${Math.round(forMs / 1000)} s: ${reason}`);
  upgrade.know(await rediscover(signal));
}

interface Stopwatch {
  /** Ms since the key was first given, without another in between. */
  since(key: string): number;
  restart(): void;
}

function createStopwatch(): Stopwatch {
  let kept: { readonly key: string; readonly at: number } | null = null;
  return {
    since: (key) => {
      const now = performance.now();
      if (kept?.key !== key) kept = { key, at: now };
      return now - kept.at;
    },
    restart: () => void (kept = null),
  };
}
