import type { GroupRefreshes, Refresh } from '../app-refresh.ts';
import { ApplianceError } from '../errors.ts';
import type { Report } from './upgrade-report.ts';

/** The instance refreshes of a cluster, one group after another, as far as they are started from here or found under way. */
export interface RefreshRun {
  /** Before anything is written. Throws `conflict` where a group would not wait for members, `unavailable` where AWS does not answer. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Of the groups in the regions that need it, starts the first, where none of the cluster's is under way: that one is ended
   * first, and counts for its own group. Throws `unavailable` where AWS does not answer, or refuses.
   */
  start(needs: (region: string) => boolean, signal: AbortSignal): Promise<void>;
  /**
   * The one under way, in whichever group, or that ended while it was looked at; null: there is none. Starts the next group's
   * when one is done. Throws `unavailable` where that is refused for a minute.
   */
  look(signal: AbortSignal): Promise<Report['refresh']>;
}

type Group = GroupRefreshes['groups'][number];
type Told = Report['refresh'];

/** AWS allows few questions; what it shows changes in minutes. */
const LOOK_MS = 3_000;

/** For so long the next group is tried to be begun: nobody else does it. */
const NEXT_LIMIT_MS = 60_000;

/** A run over the groups. Nothing is asked before the first call. `advice`: what is to be done where it ends early, a clause. */
export function createRefreshRun({ groups }: GroupRefreshes, advice: string): RefreshRun {
  /** Those that are still to be begun from here. */
  let queue: readonly Group[] = [];
  /** Whose refresh is followed: begun from here, or seen under way. */
  let current: Group | null = null;
  const begun = new Map<Group, string>();
  const told = new Map<Group, Told>();
  let refusedAt: number | null = null;
  let kept: { readonly at: number; readonly refresh: Told } | null = null;

  /** Null: it is begun; else why not. */
  const begin = async (next: Group, signal: AbortSignal): Promise<string | null> => {
    const started = await next.start(signal);
    if (!started.known) return started.reason;
    if (started.value !== null) begun.set(next, started.value);
    queue = queue.filter((it) => it !== next);
    current = next;
    told.delete(next);
    refusedAt = null;
    kept = null;
    return null;
  };

  const ask = async (group: Group, signal: AbortSignal): Promise<Told> => {
    const last = await group.last(signal);
    const found = last.known ? last.value : null;
    const id = begun.get(group) ?? null;
    if (found?.id === id) begun.delete(group);
    const now = shown(found, id !== null && found?.id !== id ? id : null, group.name);
    // What AWS does not say now is as it was: just begun, where it has not said anything yet.
    const refresh = last.known ? now : (told.get(group) ?? now);
    told.set(group, refresh);
    return refresh;
  };

  /** The followed one first, then whichever else is under way: that is followed from now on, and no group is done twice. */
  const findActive = async (signal: AbortSignal): Promise<Told> => {
    const all = await Promise.all(
      groups.map(async (group) => ({ group, refresh: await ask(group, signal) })),
    );
    const active = all.filter(({ refresh }) => refresh?.active === true);
    queue = queue.filter((group) => active.every((it) => it.group !== group));
    const first = active.find(({ group }) => group === current) ?? active[0];
    if (first === undefined) return null;
    current = first.group;
    return first.refresh;
  };

  /** Where none is under way. */
  const goOn = async (ended: Told, now: number, signal: AbortSignal): Promise<Told> => {
    kept = { at: now, refresh: ended };
    const [next] = queue;
    if (ended?.status !== 'Successful' || next === undefined) return ended;
    const goesOn = { ...ended, active: true };
    const why = await begin(next, signal);
    if (why === null) return goesOn;
    refusedAt ??= now;
    if (now - refusedAt >= NEXT_LIMIT_MS)
      refuse(
        `the refresh of ${ended.group} is done, and that of ${next.name} cannot be begun: ${why}; ${advice}`,
      );
    kept = { at: now, refresh: goesOn };
    return goesOn;
  };

  return {
    check: async (signal) => {
      for (const group of groups) await checkGroup(group, signal);
    },
    start: async (needs, signal) => {
      queue = groups.filter((it) => needs(it.region));
      const active = await findActive(signal);
      const [first] = queue;
      const why = active !== null || first === undefined ? null : await begin(first, signal);
      if (why !== null) refuse(`no instance refresh has begun: ${why}; ${advice}`);
    },
    look: async (signal) => {
      const now = performance.now();
      if (kept !== null && now - kept.at < LOOK_MS) return kept.refresh;
      const active = await findActive(signal);
      // One of last week is no news.
      if (active === null)
        return await goOn(current === null ? null : (told.get(current) ?? null), now, signal);
      kept = { at: now, refresh: active };
      return active;
    },
  };
}

/** Throws where a group would not wait for members, or AWS does not let it be looked at. */
async function checkGroup(group: Group, signal: AbortSignal): Promise<void> {
  const waits = await group.waitsForMembers(signal);
  const last = await group.last(signal);
  const silent = waits.known ? last : waits;
  if (!silent.known) refuse(`nothing was written: ${silent.reason}`);
  if (!(waits.known && waits.value))
    throw new ApplianceError(
      { code: 'conflict', what: group.name },
      `nothing was written: the group ${group.name} has no launching hook, so that a refresh would not wait for members: add one, or terminate the instances one by one, each when the one before is replaced`,
    );
}

function refuse(why: string): never {
  throw new ApplianceError({ code: 'unavailable', service: 'autoscaling' }, why);
}

/** The refresh as AWS tells of it; `begun`: one that was started, and that AWS does not tell of yet. */
function shown(found: Refresh | null, begun: string | null, group: string): Told {
  if (begun !== null) return { id: begun, status: 'Pending', active: true, percent: null, why: null, group };
  return found === null ? null : { ...found, group };
}
