import type { CloudSettings } from './model.ts';
import type { Group, Instance, Member, Refresh } from './world.ts';

/** True while a member is on its way out, whatever it waits for. */
export function isLeaving(member: Member): boolean {
  return member.lifecycle.startsWith('Terminat');
}

/** Members that count towards the desired capacity. */
export function activeMembers(group: Group): readonly Member[] {
  return group.members.filter((member) => !isLeaving(member));
}

export function activeRefresh(group: Group): Refresh | undefined {
  return group.refreshes.find((refresh) => refresh.status === 'InProgress');
}

/** Old members that a refresh has not touched yet and that are still there. */
function refreshRest(group: Group, refresh: Refresh): readonly Member[] {
  return activeMembers(group).filter((member) => refresh.remaining.includes(member.instanceId));
}

/** How many more than desired a refresh may run, from its maximum healthy percentage. */
function surge(group: Group): number {
  const refresh = activeRefresh(group);
  if (refresh === undefined || refresh.maxHealthyPercentage <= 100) return 0;
  const allowed = Math.max(1, Math.floor((group.desired * (refresh.maxHealthyPercentage - 100)) / 100));
  return Math.min(allowed, refreshRest(group, refresh).length);
}

/** How many active members the group wants now. */
export function wantedSize(group: Group): number {
  return group.deleting ? 0 : group.desired + surge(group);
}

/** The zone with the fewest active members that has capacity, the first of the list where several have; null without capacity. */
export function zoneForLaunch(
  group: Group,
  instances: ReadonlyMap<string, Instance>,
  settings: CloudSettings,
): string | null {
  const count = (zone: string): number =>
    activeMembers(group).filter((member) => instances.get(member.instanceId)?.zone === zone).length;
  const open = group.zones.filter((zone) => !settings.zonesWithoutCapacity.includes(zone));
  return open.reduce<string | null>(
    (best, zone) => (best === null || count(zone) < count(best) ? zone : best),
    null,
  );
}

/** Whom the group gives up first when it shrinks: in the zone with the most members, the oldest. */
export function victim(group: Group, instances: ReadonlyMap<string, Instance>): Member | null {
  const active = activeMembers(group);
  const zoneOf = (member: Member): string => instances.get(member.instanceId)?.zone ?? '';
  const count = (zone: string): number => active.filter((member) => zoneOf(member) === zone).length;
  return active.reduce<Member | null>(
    (best, member) => (best === null || count(zoneOf(member)) > count(zoneOf(best)) ? member : best),
    null,
  );
}

function isServing(member: Member, warmupMs: number, nowMs: number): boolean {
  return (
    member.lifecycle === 'InService' &&
    member.health === 'Healthy' &&
    member.inServiceAtMs !== null &&
    member.inServiceAtMs + warmupMs <= nowMs
  );
}

export type RefreshStep =
  | { readonly kind: 'replace'; readonly instanceId: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'wait'; readonly untilMs: number | null };

/**
 * What a refresh does next. It takes one old member after another as long as those that serve stay at or above the
 * minimum healthy percentage; where that allows none, one at a time once all serve.
 */
export function refreshStep(group: Group, refresh: Refresh, nowMs: number): RefreshStep {
  const rest = refreshRest(group, refresh);
  const active = activeMembers(group);
  const serving = active.filter((member) => isServing(member, refresh.warmupMs, nowMs)).length;
  if (rest.length === 0 && serving >= group.desired && active.length === group.desired)
    return { kind: 'done' };
  const floor = Math.ceil((group.desired * refresh.minHealthyPercentage) / 100);
  const least = surge(group) > 0 ? floor : Math.min(floor, group.desired - 1);
  const next = rest[0];
  if (next !== undefined && serving - (isServing(next, refresh.warmupMs, nowMs) ? 1 : 0) >= least) {
    return { kind: 'replace', instanceId: next.instanceId };
  }
  const warm = active
    .filter((member) => member.lifecycle === 'InService' && member.inServiceAtMs !== null)
    .map((member) => (member.inServiceAtMs ?? 0) + refresh.warmupMs)
    .filter((atMs) => atMs > nowMs);
  return { kind: 'wait', untilMs: warm.length > 0 ? Math.min(...warm) : null };
}
