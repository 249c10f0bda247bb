import type { Command } from 'commander';
import { planAppliance } from '../app.ts';
import { EXIT } from '../errors.ts';
import { createLog } from '../http/log.ts';
import { createStreamOutput } from '../http/log-output.ts';
import { VERSION } from '../version.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';

/** What `planAppliance` reports. */
type PlanReport = Awaited<ReturnType<typeof planAppliance>>;

/** `etcd-appliance plan`: what the appliance of this instance would do now, and why; nothing is done. */
export function addPlanCommand(program: Command): void {
  program
    .command('plan')
    .description('print what this instance would do now, and why, without doing it')
    .option(...CONFIG_OPTION)
    .option('--json', 'as JSON')
    .action(async (options: { config?: string; json?: true }) => {
      const { config } = await loadFromEnvironment(options.config, { needsZone: true });
      // The log goes to standard error: standard output is the plan.
      const log = await createLog({
        level: 'warn',
        pretty: process.stderr.isTTY,
        output: createStreamOutput(process.stderr),
      });
      const report = await planAppliance(
        config,
        { log, version: VERSION, env: process.env },
        new AbortController().signal,
      );
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : renderPlan(report));
      process.exitCode = report.unknown.length > 0 ? EXIT.unavailable : EXIT.done;
    });
}

function renderPlan({ steps, notTaken, unknown }: PlanReport): string {
  const section = (title: string, lines: readonly string[], none: string) =>
    [title, ...(lines.length > 0 ? lines : [none]).map((line) => `  ${line}`)].join('\n');
  const sections = [
    section(
      'Steps',
      steps.map((step) => `${step.kind}: ${step.sentence}`),
      'none',
    ),
    section(
      'Not taken',
      notTaken.map((step) => `${step.kind}: ${step.sentence}`),
      'none',
    ),
  ];
  if (unknown.length > 0) sections.push(section('Unknown', unknown, ''));
  return `${sections.join('\n')}\n`;
}
