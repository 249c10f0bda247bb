import { openZone } from '../app-zone.ts';
import type { OpenedZone } from '../app-zone.ts';
import type { Config } from '../config.ts';
import { readClaim } from '../core/claim.ts';
import type { ClaimReading } from '../core/claim.ts';
import { clusterLabel, namesOf } from '../core/names.ts';
import { ownRecords } from '../core/own-records.ts';
import type { RecordSet } from '../core/records.ts';
import { ApplianceError } from '../errors.ts';

/** What stands under a name. */
export interface SeenRegister {
  /** Full name. */
  readonly cluster: string;
  readonly register: string;
  readonly reading: ClaimReading;
  /** Ours, the claim among them. */
  readonly records: readonly RecordSet[];
}

/**
 * Reads what stands in the hosted zone under a name (`demo`, `demo.example.org`; without one that of STACK_NAME), and hands
 * it on with the zone, which is closed afterwards. Throws `configuration` without a zone, `usage` for a name that is none
 * in it, `unavailable` where Route 53 does not answer.
 */
export async function withRegister<T>(
  given: string | undefined,
  config: Config,
  use: (seen: SeenRegister, zone: OpenedZone) => T | Promise<T>,
): Promise<T> {
  if (config.hostedZone === null) {
    const problem =
      'HOSTED_ZONE: none is configured; allowed is the name or id of the zone that holds the claim';
    throw new ApplianceError({ code: 'configuration', problems: [problem] }, problem);
  }
  const region = process.env['AWS_REGION'] || (config.activeRegions[0] ?? 'us-east-1');
  const opened = await openZone(config.hostedZone, region, new AbortController().signal);
  try {
    const cluster = fullName(given ?? ownLabel(config.stackName), opened.zone.name);
    return await use(await read(opened, cluster), opened);
  } finally {
    opened.close();
  }
}

function ownLabel(stack: string | null): string {
  if (stack !== null) return clusterLabel(stack);
  throw new ApplianceError(
    { code: 'usage' },
    'no name given, and no STACK_NAME configured; name the cluster',
  );
}

function fullName(given: string, zone: string): string {
  const name = given.toLowerCase().replace(/\.$/, '');
  if (/^[a-z0-9-]+$/.test(name)) return `${name}.${zone}`;
  if (name.endsWith(`.${zone}`)) return name;
  throw new ApplianceError({ code: 'usage' }, `${JSON.stringify(given)} is no name in the zone ${zone}`);
}

async function read(opened: OpenedZone, cluster: string): Promise<SeenRegister> {
  const register = opened.register(cluster);
  const records = await register.list(new AbortController().signal);
  if (!records.known) throw new ApplianceError({ code: 'unavailable', service: 'route53' }, records.reason);
  const own = ownRecords(cluster, records.value);
  return {
    cluster,
    register: register.register,
    reading: readClaim(namesOf(cluster).claim, own),
    records: own,
  };
}
