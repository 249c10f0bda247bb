import { networkInterfaces } from 'node:os';
import type { Command } from 'commander';
import { askHealth } from '../app-health.ts';
import { ApplianceError, EXIT } from '../errors.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';

/** Answers come from memory; a machine that is slower than this is not well. Below the limit of the image's health check. */
const LIMIT_MS = 3_000;

/** `etcd-appliance health`: how the appliance on this machine is, for health checks. It asks nobody else, AWS neither. */
export function addHealthCommand(program: Command): void {
  program
    .command('health')
    .description('ask the appliance on this machine how it is; 0 well, 1 not well, 69 no answer')
    .option(...CONFIG_OPTION)
    .option('--ready', 'whether its member serves (/readyz), not only whether it lives (/healthz)')
    .action(async (options: { config?: string; ready?: true }) => {
      const { config } = await loadFromEnvironment(options.config);
      const addresses = config.listenAddress === null ? ownAddresses() : [config.listenAddress];
      const path = options.ready ? '/readyz' : '/healthz';
      const asked = { addresses, port: config.statusPort, path, limitMs: LIMIT_MS } as const;
      const { check, silence } = await askHealth(asked);
      if (check === null) {
        throw new ApplianceError(
          { code: 'unavailable', service: 'appliance' },
          `no appliance answers on port ${config.statusPort} (${silence.join('; ')}): has it started?`,
        );
      }
      process.stdout.write(`${check.reason}\n`);
      process.exitCode = check.ok ? EXIT.done : EXIT.failed;
    });
}

/** Where nothing is configured the appliance listens on the instance's own IPv4 address, and that is one of these. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  );
}
