import type { Claim, ClaimReading } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import { CLUSTER } from './names.ts';

const CLAIM_NAME = namesOf(CLUSTER).claim;

/** The zone gives the same list until something changes, and what it says is asked for after every other step. */
const readings = new WeakMap<readonly RecordSet[], ClaimReading>();

/** What records that the zone gave say of the claim; each list is read once. */
export function claimReading(records: readonly RecordSet[]): ClaimReading {
  let reading = readings.get(records);
  if (reading === undefined) {
    reading = readClaim(CLAIM_NAME, records);
    readings.set(records, reading);
  }
  return reading;
}

/** The claim in records that the zone gave; null: none that can be read. */
export function claimIn(records: readonly RecordSet[]): Claim | null {
  const reading = claimReading(records);
  return reading.kind === 'claim' ? reading.claim : null;
}
