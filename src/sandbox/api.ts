import type { CloudParts } from './cloud.ts';
import type { Region } from './region.ts';
import type { EventFields, Fault } from './model.ts';
import type { QueryParams, XmlNode } from './wire-query.ts';
import type { RegionWorld, World } from './world.ts';

/** How much of the truth a Describe, Get or List shows. */
export interface Show {
  /** Of a list: all, nothing, the first half, or what concerns the asking instance. */
  readonly of: <T>(items: readonly T[], isSelf: (item: T) => boolean) => readonly T[];
  readonly how: 'all' | 'empty' | 'half' | 'self-only';
}

export interface CallContext {
  readonly parts: CloudParts;
  /** The state that a reading call shows; it may be old. Calls that change something look at the store. */
  readonly world: World;
  readonly show: Show;
  /** Id of the asking instance; null for an operator. */
  readonly asking: string | null;
  /** Name of the region that is asked; Route 53 has none, whatever its requests are signed for. */
  readonly scope: string;
}

/** What an action of EC2 or Auto Scaling sees: one region, and nothing of the others. */
export interface RegionContext extends Pick<CallContext, 'show' | 'asking'> {
  readonly region: Region;
  readonly world: RegionWorld;
}

/** An action of a query service: what it answers inside of its result element. */
export interface QueryAction {
  /** False for those that only read: they can be shown old or in part, and are not in the event log. */
  readonly changes: boolean;
  readonly run: (params: QueryParams, context: RegionContext) => Readonly<Record<string, XmlNode>>;
}

export function reads(run: QueryAction['run']): QueryAction {
  return { changes: false, run };
}

export function changes(run: QueryAction['run']): QueryAction {
  return { changes: true, run };
}

/** What a fault makes of the lists that a call shows. */
export function showFor(fault: Fault | null): Show {
  switch (fault?.kind) {
    case 'empty':
      return { how: 'empty', of: () => [] };
    case 'half':
      return { how: 'half', of: (items) => items.slice(0, Math.floor(items.length / 2)) };
    case 'self-only':
      return { how: 'self-only', of: (items, isSelf) => items.filter(isSelf) };
    default:
      return { how: 'all', of: (items) => items };
  }
}

/** How old the world is that a reading call sees, in milliseconds. */
export function staleFor(fault: Fault | null, setting: number | undefined): number {
  return Math.max(setting ?? 0, fault?.kind === 'stale' ? (fault.staleMs ?? 0) : 0);
}

/** The event of a call, told as a change or as a read. */
export function callEvent(
  service: string,
  action: string,
  asking: string | null,
  result: string,
): EventFields {
  return { service, action, asking, result };
}
