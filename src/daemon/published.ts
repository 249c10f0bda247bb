import type { Fleet } from '../core/fleet.ts';
import type { AdminPort } from './ports.ts';

/** Under this key the housekeeper publishes what it saw of AWS, so that the others need not ask. */
export const PUBLISHED_KEY = '_appliance/published';

/** What the housekeeper last saw and did. */
export interface Published {
  readonly format: 1;
  /** Instance id of the housekeeper. */
  readonly by: string;
  /** Wall time, for people. */
  readonly at: string;
  /** Token and epoch of the claim as formed; null: it was not read. */
  readonly claim: { readonly token: string; readonly epoch: number } | null;
  readonly fleet: Fleet | null;
  /** Wall time at which AWS was asked for that fleet, for people; null: it was not, or by a version that does not say when. */
  readonly fleetAt: string | null;
  /** Instances that the client records name now. */
  readonly named: readonly string[];
  /** Instances that were known to leave when those names were made: none of them is named again. */
  readonly leaving: readonly string[];
}

/** Writes it as the key's value. */
export function encodePublished(published: Published): string {
  return JSON.stringify(published);
}

/** Reads the key's value; null where it is not of this format. What it says is a hint: no removal rests on it. */
export function decodePublished(value: string): Published | null {
  try {
    const parsed = JSON.parse(value) as Partial<Published> | null;
    if (parsed === null || typeof parsed !== 'object' || parsed.format !== 1) return null;
    const { by, at, claim, fleet, fleetAt, named, leaving } = parsed;
    if (typeof by !== 'string' || typeof at !== 'string' || !Array.isArray(named)) return null;
    return {
      format: 1,
      by,
      at,
      claim: claim ?? null,
      fleet: fleet ?? null,
      fleetAt: typeof fleetAt === 'string' ? fleetAt : null,
      named: named.map(String),
      leaving: Array.isArray(leaving) ? leaving.map(String) : [],
    };
  } catch {
    return null;
  }
}

/** What is published, as the member at this endpoint has it, quorum or not; null: nothing, or it does not answer. */
export async function readPublished(
  admin: Pick<AdminPort, 'read'>,
  endpoint: string,
  signal: AbortSignal,
): Promise<Published | null> {
  const value = await admin.read(endpoint, PUBLISHED_KEY, { serializable: true }, signal);
  return value.known && value.value !== null ? decodePublished(value.value.value) : null;
}
