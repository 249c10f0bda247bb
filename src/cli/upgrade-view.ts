import { MultiBar } from 'cli-progress';
import type { SingleBar } from 'cli-progress';
import type { MemberProgress } from './upgrade-progress.ts';
import { renderReport } from './upgrade-report.ts';
import type { Report } from './upgrade-report.ts';

/** Shows how an upgrade goes on. */
export interface UpgradeView {
  show(report: Report, members: readonly MemberProgress[]): void;
  /** Something beside the upgrade itself, a clause. */
  note(text: string): void;
  /** Gives the terminal back. */
  end(): void;
}

/** Where it is shown. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** JSON lines; bars on a terminal; else a line for what changes. The first report is shown as a whole. */
export function createUpgradeView(json: boolean, output: NodeJS.WriteStream): UpgradeView {
  if (json) return jsonView(output);
  return output.isTTY ? barView(output) : lineView(output);
}

function jsonView(output: Output): UpgradeView {
  let last = '';
  return {
    show: (report, members) => {
      const line = JSON.stringify({ ...report, progress: members });
      if (line !== last) output.write(`${line}\n`);
      last = line;
    },
    note: () => undefined,
    end: () => undefined,
  };
}

/** A line for each member that comes to another stage, and for each other plan. */
export function lineView(output: Output): UpgradeView {
  let plan: string | null = null;
  let refresh = '';
  const stages = new Map<string, string>();
  return {
    show: (report, members) => {
      const isFirst = plan === null;
      if (isFirst) output.write(renderReport(report));
      else if (report.plan.sentence !== plan) output.write(`plan: ${report.plan.sentence}\n`);
      plan = report.plan.sentence;
      for (const it of members) {
        const line = `${it.instanceId} ${wordOf(it)}`;
        if (!isFirst && stages.get(it.instanceId) !== line) output.write(`${line}\n`);
        stages.set(it.instanceId, line);
      }
      const refreshing = refreshLine(report);
      if (refreshing !== refresh && refreshing !== '') output.write(`${refreshing}\n`);
      refresh = refreshing;
    },
    note: (text) => void output.write(`${text}\n`),
    end: () => undefined,
  };
}

function wordOf({ stage, version, final }: MemberProgress): string {
  return stage === 'done' || final === null
    ? `${stage}: etcd ${version}`
    : `${stage}: etcd ${version}, to ${final}`;
}

function refreshLine({ refresh }: Report): string {
  if (refresh === null) return '';
  const percent = refresh.percent === null ? '' : `, ${refresh.percent} %`;
  return `instance refresh of ${refresh.group}: ${refresh.status}${percent}${refresh.why === null ? '' : `, ${refresh.why}`}`;
}

function barView(output: NodeJS.WriteStream): UpgradeView {
  const bars = new Map<string, SingleBar>();
  let multi: MultiBar | null = null;
  let plan: string | null = null;
  let refresh = '';
  const open = (): MultiBar =>
    (multi ??= new MultiBar({
      format: '{name} [{bar}] {word}',
      stream: output,
      hideCursor: true,
      barsize: 25,
      // Ctrl-C is the caller's, who gives the terminal back.
      gracefulExit: false,
      emptyOnZero: true,
      // A line that is logged takes the place of a bar, which is not drawn anew unless it changes.
      forceRedraw: true,
    }));
  const log = (text: string): void =>
    void (multi === null ? output.write(`${text}\n`) : multi.log(`${text}\n`));
  return {
    show: (report, members) => {
      if (plan === null) output.write(renderReport(report));
      else if (report.plan.sentence !== plan) log(`plan: ${report.plan.sentence}`);
      plan = report.plan.sentence;
      const refreshing = refreshLine(report);
      if (refreshing !== refresh && refreshing !== '') log(refreshing);
      refresh = refreshing;
      const all = open();
      for (const [name, bar] of bars) {
        if (members.some((it) => it.instanceId === name)) continue;
        all.remove(bar);
        bars.delete(name);
      }
      for (const it of members) {
        const words = { name: it.instanceId, word: wordOf(it) };
        const bar = bars.get(it.instanceId) ?? all.create(it.total, it.done, words);
        bars.set(it.instanceId, bar);
        bar.setTotal(it.total);
        bar.update(it.done, words);
      }
    },
    note: log,
    end: () => {
      // It drops the lines that were logged since it last drew.
      multi?.update();
      multi?.stop();
      multi = null;
      bars.clear();
    },
  };
}
