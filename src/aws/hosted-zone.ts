import type { HostedZone as SdkZone } from '@aws-sdk/client-route-53';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import { ApplianceError } from '../errors.ts';
import type { Route53Calls } from './calls.ts';
import { ask } from './failure.ts';
import { plainName } from './record-names.ts';

/** A hosted zone of Route 53. */
export interface HostedZone {
  /** Without the leading /hostedzone/. */
  readonly id: string;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly private: boolean;
}

/** An id has no dot and begins with a capital Z; zone names are compared in lower case, so a name never matches. */
const ZONE_ID = /^Z[A-Z0-9]{1,31}$/;

const MOST_PAGES = 10;

/**
 * Finds the hosted zone that HOSTED_ZONE names, by name or by id (with or without /hostedzone/ before it). Unknown
 * where Route 53 does not answer or does not show it: an empty answer is no proof. Throws a configuration error where
 * the name fits two zones, such as a public and a private one.
 */
export async function findHostedZone(
  calls: Route53Calls,
  hostedZone: string,
  signal: AbortSignal,
): Promise<Known<HostedZone>> {
  const id = bareId(hostedZone);
  return ZONE_ID.test(id) ? byId(calls, id, signal) : byName(calls, plainName(hostedZone), signal);
}

async function byId(calls: Route53Calls, id: string, signal: AbortSignal): Promise<Known<HostedZone>> {
  const answer = await ask(`Route 53, asked for zone ${id},`, signal, () =>
    calls.getHostedZone({ Id: id }, signal),
  );
  if (!answer.known) return answer;
  const zone = zoneOf(answer.value.HostedZone);
  return zone === null ? unknown(`Route 53 describes zone ${id} incompletely`) : known(zone);
}

async function byName(calls: Route53Calls, name: string, signal: AbortSignal): Promise<Known<HostedZone>> {
  const found: HostedZone[] = [];
  let from: { readonly DNSName: string; readonly HostedZoneId?: string } = { DNSName: name };
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await ask(`Route 53, asked for zone ${name},`, signal, () =>
      calls.listHostedZonesByName(from, signal),
    );
    if (!answer.known) return answer;
    const { HostedZones, IsTruncated, NextDNSName, NextHostedZoneId } = answer.value;
    for (const listed of HostedZones ?? []) {
      const zone = zoneOf(listed);
      // The answer begins at the name and goes on with whatever follows in the order of reversed labels.
      if (zone?.name === name) found.push(zone);
    }
    if (IsTruncated !== true || NextDNSName === undefined || plainName(NextDNSName) !== name) {
      return oneOf(found, name);
    }
    from = {
      DNSName: NextDNSName,
      ...(NextHostedZoneId !== undefined && { HostedZoneId: NextHostedZoneId }),
    };
  }
  return unknown(`Route 53 answers with more than ${MOST_PAGES} pages of zones named ${name}`);
}

function oneOf(found: readonly HostedZone[], name: string): Known<HostedZone> {
  const [zone] = found;
  if (zone === undefined) {
    return unknown(`Route 53 shows no hosted zone ${name} to these credentials (HOSTED_ZONE names it)`);
  }
  if (found.length === 1) return known(zone);
  const list = found.map((one) => `${one.id} (${one.private ? 'private' : 'public'})`).join(', ');
  throw new ApplianceError(
    {
      code: 'configuration',
      problems: [`HOSTED_ZONE: ${name} fits more than one zone: ${list}; give the id`],
    },
    `the name ${name} fits more than one hosted zone: ${list}: set HOSTED_ZONE to the id of one`,
  );
}

function zoneOf(zone: SdkZone | undefined): HostedZone | null {
  if (zone?.Id === undefined || zone.Name === undefined) return null;
  return { id: bareId(zone.Id), name: plainName(zone.Name), private: zone.Config?.PrivateZone === true };
}

function bareId(id: string): string {
  return id.replace(/^\/?hostedzone\//, '');
}
