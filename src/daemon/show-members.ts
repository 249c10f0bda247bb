import { LOOK_INTERVAL_MS } from '../core/numbers.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import { look, lookWithoutQuorum } from './look.ts';
import { readPublished } from './published.ts';
import type { MemberLook } from './state.ts';

/** Who does not keep house and is not watched looks at what it shows this often: its metrics are no older. Watched, in each turn. */
const UNWATCHED_LOOK_MS = 30_000;

/** It is watched for so long after somebody looked. */
const WATCHED_MS = 10_000;

/** Keeps what was seen of the members, for the face. */
export function noteLook({ state, ports: { clock } }: Context, members: readonly MemberLook[]): void {
  state.members = members;
  state.looked = { wallTime: clock.wallTime(), at: clock.now() };
}

/**
 * Who does not keep house shows what the housekeeper published, asks AWS nothing, and looks at all members, where that is due:
 * a handful of calls of etcd that decide nothing. With a quorum or without (`hasQuorum`: it was just seen), and whether its
 * own etcd answers or not: the less of a cluster is left, the more an operator needs to see of it.
 */
export async function showIfDue(
  context: Context,
  memory: HouseMemory,
  hasQuorum: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (!isDue(context, memory)) return;
  const { ports, state } = context;
  const endpoint = clientUrl(ports.self.address);
  if (state.ownStatus.known) await showPublished(context, endpoint, signal);
  const seen = hasQuorum ? await look(context, endpoint, signal) : null;
  noteLook(
    context,
    seen?.known === true ? seen.value.members : await lookWithoutQuorum(context, endpoint, signal),
  );
}

function isDue({ state, ports }: Context, memory: HouseMemory): boolean {
  const now = ports.clock.now();
  const watched = now - state.watchedAt < WATCHED_MS;
  // Half a turn early: a turn that comes just before its time must not cost another.
  if (!watched && now - memory.shownAt < UNWATCHED_LOOK_MS - LOOK_INTERVAL_MS / 2) return false;
  memory.shownAt = now;
  return true;
}

async function showPublished(
  { state, ports }: Context,
  endpoint: string,
  signal: AbortSignal,
): Promise<void> {
  const published = await readPublished(ports.admin, endpoint, signal);
  if (published === null) return;
  const { by, at, claim, fleet } = published;
  state.publishedBy = by;
  state.publishedAt = at;
  state.publishedEpoch = claim?.epoch ?? null;
  if (fleet === null) return;
  state.fleet = { known: true, value: fleet };
  // From when it came to be seen here: another's wall clock may be wrong.
  const wallTime = published.fleetAt ?? at;
  if (state.fleetSeen?.wallTime !== wallTime) state.fleetSeen = { wallTime, at: ports.clock.now() };
}
