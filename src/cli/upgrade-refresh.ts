import type { GroupRefreshes, Refresh } from '../app-refresh.ts';
import { ApplianceError } from '../errors.ts';
import type { Report } from './upgrade-report.ts';

/** The instance refreshes of a cluster, one group after another, as far as they are started from here or found under way. */
export interface RefreshRun {
  /** Before anything is written. Throws `conflict` where a group would not wait for members, `unavailable` where AWS does not answer. */
  check(signal: AbortSignal): Promise<void>;
  /** Starts the first. Throws `unavailable` where AWS does not answer, or refuses. */
  start(signal: AbortSignal): Promise<void>;
  /** The one under way, or that ended while it was looked at; null: there is none. Starts the next group's when one is done. */
  look(signal: AbortSignal): Promise<Report['refresh']>;
}

/** AWS allows few questions; what it shows changes in minutes. */
const LOOK_MS = 3_000;

/** For so long the next group is tried to be begun: nobody else does it. */
const NEXT_LIMIT_MS = 60_000;

/** A run over the groups. Nothing is asked before the first call. */
export function createRefreshRun({ groups }: GroupRefreshes): RefreshRun {
  let current = 0;
  let startedId: string | null = null;
  let isOurs = false;
  let wasActive = false;
  let refusedAt: number | null = null;
  let kept: { readonly at: number; readonly refresh: Report['refresh'] } | null = null;

  const refuse = (why: string): never => {
    throw new ApplianceError({ code: 'unavailable', service: 'autoscaling' }, why);
  };
  /** Null: it is begun; else why not. */
  const begin = async (next: number, signal: AbortSignal): Promise<string | null> => {
    const started = await groups[next]?.start(signal);
    if (started === undefined) return null;
    if (!started.known) return started.reason;
    current = next;
    startedId = started.value;
    refusedAt = null;
    kept = null;
    return null;
  };
  return {
    check: async (signal) => {
      for (const group of groups) {
        const waits = await group.waitsForMembers(signal);
        if (!waits.known)
          throw new ApplianceError(
            { code: 'unavailable', service: 'autoscaling' },
            `nothing was written: ${waits.reason}`,
          );
        if (!waits.value)
          throw new ApplianceError(
            { code: 'conflict', what: group.name },
            `nothing was written: the group ${group.name} has no launching hook, so that a refresh would not wait for members: add one, or terminate the instances one by one, each when the one before is replaced`,
          );
      }
    },
    start: async (signal) => {
      isOurs = true;
      const why = await begin(0, signal);
      if (why !== null) refuse(why);
    },
    look: async (signal) => {
      const group = groups[current];
      if (group === undefined) return null;
      const now = performance.now();
      if (kept !== null && now - kept.at < LOOK_MS) return isOurs || wasActive ? kept.refresh : null;
      const last = await group.last(signal);
      const found = last.known ? last.value : null;
      const isStale = startedId !== null && found?.id !== startedId;
      const told = shown(found, isStale ? startedId : null, group.name);
      // What AWS does not say now is as it was: just begun, where it has not said anything yet.
      const refresh = last.known ? told : (kept?.refresh ?? told);
      kept = { at: now, refresh };
      wasActive ||= refresh?.active === true;
      // One of last week is no news.
      if (!isOurs && !wasActive) return null;
      if (isOurs && refresh?.status === 'Successful' && current < groups.length - 1) {
        const goesOn = { ...refresh, active: true };
        const why = await begin(current + 1, signal);
        if (why === null) return goesOn;
        refusedAt ??= now;
        if (now - refusedAt >= NEXT_LIMIT_MS) refuse(why);
        kept = { at: now, refresh: goesOn };
        return goesOn;
      }
      return refresh;
    },
  };
}

/** The refresh as AWS tells of it; `begun`: one that was started, and that AWS does not tell of yet. */
function shown(found: Refresh | null, begun: string | null, group: string): Report['refresh'] {
  if (begun !== null) return { id: begun, status: 'Pending', active: true, percent: null, why: null, group };
  return found === null ? null : { ...found, group };
}
