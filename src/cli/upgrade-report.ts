import type { Refresh } from '../app-refresh.ts';
import type { UpgradePlan } from '../core/plan-upgrade.ts';
import type { UpgradeMember, UpgradeObservation, UpgradeRecord } from '../core/upgrade.ts';
import { standingOf } from '../core/upgrade-standing.ts';
import type { Standing } from '../core/upgrade-standing.ts';
import { compareVersions, pickVersion } from '../core/versions.ts';
import type { Order } from './upgrade-wish.ts';

/** One member as it is shown. */
export interface ReportMember {
  readonly instanceId: string;
  readonly role: 'leader' | 'voter' | 'learner';
  /** Null: it does not answer. */
  readonly runs: string | null;
  /** The version that it runs in the end; null: not told, or its image lacks it. */
  readonly aimsAt: string | null;
  /** Null: its appliance does not answer. */
  readonly installed: readonly string[] | null;
  readonly unhealthy: string | null;
}

/** What `upgrade` shows; as JSON, too. */
export interface Report {
  readonly cluster: string;
  readonly clusterVersion: string | null;
  readonly members: readonly ReportMember[];
  readonly record: UpgradeRecord | null;
  readonly lockedBy: string | null;
  readonly standing: Standing;
  readonly plan: {
    readonly kind: string;
    readonly code: string;
    readonly sentence: string;
    readonly who: string | null;
  };
  readonly checks: UpgradePlan['checks'];
  /** Instances that are still to step in this round, in their order. */
  readonly waiting: readonly string[];
  /** What was written, or, with `--dry-run`, what would be. */
  readonly orders: readonly Order[];
  readonly dryRun: boolean;
  readonly refresh: (Refresh & { readonly group: string }) | null;
}

/** The version that a member runs in the end, of those that its image has; null where it has none, or does not tell. */
export function finalOf({ answer }: UpgradeMember, order: string | null): string | null {
  return answer.known ? pickVersion(answer.value.installed, order ?? answer.value.wanted) : null;
}

/** Puts together what is shown of one look. */
export function reportOf(
  cluster: string,
  seen: UpgradeObservation,
  plan: UpgradePlan,
  more: Pick<Report, 'orders' | 'dryRun' | 'refresh'>,
): Report {
  const record = seen.record.known ? seen.record.value : null;
  const { action, checks, waiting } = plan;
  return {
    cluster,
    clusterVersion: seen.versions.known ? seen.versions.value.cluster : null,
    members: seen.members.map((it) => ({
      instanceId: it.name,
      role: it.learner ? 'learner' : it.id === seen.leaderId ? 'leader' : 'voter',
      runs: it.version,
      aimsAt: finalOf(it, record?.to ?? null),
      installed: it.answer.known ? it.answer.value.installed : null,
      unhealthy: it.unhealthy,
    })),
    record,
    lockedBy: seen.lockedBy,
    standing: standingOf(action),
    plan: { kind: action.kind, ...action.reason, who: 'who' in action ? action.who : null },
    checks,
    waiting,
    ...more,
  };
}

/** The report as text, for people. Ends with a newline. */
export function renderReport(report: Report): string {
  const { cluster, clusterVersion, members, record, plan, checks, waiting, orders, dryRun } = report;
  const columns = ['INSTANCE', 'ROLE', 'RUNS', 'AIMS AT', 'ITS IMAGE HAS', ''];
  const rows = members.map((it) => [
    it.instanceId,
    it.role,
    it.runs ?? 'no answer',
    it.aimsAt ?? 'unknown',
    it.installed === null ? 'unknown' : [...it.installed].sort(compareVersions).join(', ') || 'none',
    it.unhealthy ?? '',
  ]);
  const lines = [
    `${cluster}: cluster version ${clusterVersion ?? 'unknown'}; ${orderLine(record)}`,
    ...table(columns, rows).map((it) => `  ${it}`),
    ...orders.map((it) => `${dryRun ? 'would be written' : 'written'}: ${it.sentence}`),
    `${dryRun ? 'plan, once that is written' : 'plan'}: ${plan.sentence}`,
    ...(waiting.length > 0 ? [`to step in this round: ${waiting.join(', ')}`] : []),
    ...(checks.length > 0 ? ['preflight:'] : []),
    ...checks.map((it) => `  ${it.ok ? 'ok   ' : 'TO DO'} ${it.sentence}${it.ok ? '' : ` (${it.code})`}`),
  ];
  return `${lines.join('\n')}\n`;
}

function orderLine(record: UpgradeRecord | null): string {
  if (record === null) return 'what was ordered is unknown';
  const order =
    record.to === null ? 'no order, ETCD_VERSION of each instance counts' : `ordered: ${record.to}`;
  return record.paused === null ? order : `${order}; paused since ${record.paused.at}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
