import type { ClusterUpgrade } from '../app-upgrade.ts';
import { planUpgrade } from '../core/plan-upgrade.ts';
import type { UpgradeObservation } from '../core/upgrade.ts';
import { ApplianceError } from '../errors.ts';
import { createPatience, createProgress, verdictOf } from './upgrade-progress.ts';
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
  /** The order that stands as far as the caller knows; undefined: it does not. */
  readonly order: string | null | undefined;
  /** Null: its groups are not known. */
  readonly refreshes: RefreshRun | null;
  /** Addresses of voters, asked anew: of the claim. */
  readonly rediscover: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly clock: {
    /** Ms since some moment; never goes back. */
    now(): number;
    sleep(ms: number, signal: AbortSignal): Promise<void>;
  };
}

/** How an upgrade came to rest. */
export interface Rest {
  readonly verdict: Exclude<Verdict, { readonly kind: 'goes-on' }>;
  readonly report: Report;
}

/** A step takes seconds, its stages tenths of them. */
const LOOK_MS = 500;

/** A leader that steps leaves nobody to ask for a moment: that is no news. Nor is Route 53 asked more often. */
const QUIET_MS = 5_000;

/** Nobody answers for so long: it cannot be followed any more. */
const UNSEEN_LIMIT_MS = 60_000;

/** Follows an upgrade until it is done or stands still. Throws `unavailable` where no member answers for a minute. */
export async function follow(followed: Followed, signal: AbortSignal): Promise<Rest> {
  const { upgrade, view, clock } = followed;
  const progress = createProgress();
  const patience = createPatience();
  const outOfSight = createOutage(followed);
  let { order } = followed;
  for (;;) {
    const seen = await upgrade.look(signal);
    await outOfSight(seen.known ? null : seen.reason, signal);
    if (seen.known) {
      const report = await reportNow(followed, seen.value, signal);
      // Keys that cannot be read say nothing of the order.
      if (report.record !== null) {
        const standing = report.record.to;
        if (order !== undefined && order !== standing) view.note(newOrder(standing));
        order = standing;
      }
      view.show(report, progress(seen.value));
      const verdict = verdictOf(report, patience(report, clock.now()));
      if (verdict.kind !== 'goes-on') return { verdict, report };
    }
    await clock.sleep(LOOK_MS, signal);
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

/** Takes why nobody can be seen, look by look, or null. Says it once, asks the claim for others, and gives up after a minute. */
function createOutage({ upgrade, view, rediscover, clock }: Followed) {
  let since: number | null = null;
  let nextAt = 0;
  let said: string | null = null;
  return async (reason: string | null, signal: AbortSignal): Promise<void> => {
    if (reason === null) {
      since = null;
      said = null;
      return;
    }
    const now = clock.now();
    if (since === null) {
      since = now;
      nextAt = now + QUIET_MS;
    }
    if (now - since >= UNSEEN_LIMIT_MS)
      throw new ApplianceError(
        { code: 'unavailable', service: 'etcd' },
        `the upgrade cannot be followed: ${reason}; it goes on without this command, which can be called again`,
      );
    if (now < nextAt) return;
    if (reason !== said) view.note(`cannot be seen for ${Math.round((now - since) / 1000)} s: ${reason}`);
    said = reason;
    nextAt = now + QUIET_MS;
    upgrade.know(await rediscover(signal));
  };
}
