import type { Fleet } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import type { FirewallChange, FirewallPlan, IngressRule, SecurityGroup } from '../core/plan-firewall.ts';
import { instancesInDoubt, livingIn, planArrival, planFirewall } from '../core/plan-firewall.ts';
import { reason } from '../core/reason.ts';
import type { Backoff } from './backoff.ts';
import { createBackoff } from './backoff.ts';
import type { FleetView } from './fleet-view.ts';
import type { DaemonOptions } from './options.ts';
import type { FirewallOutcome, Ports } from './ports.ts';
import type { Chronicle } from './state.ts';
import type { HouseRight } from './unlocked.ts';

/** Keeps the rules by which the instances of a cluster let each other in. Without need of any it asks nothing. */
export interface Firewall {
  /** Before this instance is a member: lets it in everywhere, and everybody in here. Needs no lock, closes nothing. */
  arrive(fleet: Fleet, signal: AbortSignal): Promise<void>;
  /** What was read of the rules is read anew when it is next needed. */
  forget(): void;
  /** What who keeps house would do; null where no rule of ours is needed. */
  preview(fleet: Fleet, members: ReadonlySet<string>, signal: AbortSignal): Promise<FirewallPlan | null>;
  /** What who keeps house does; false where an answer is missing and it is worth to come back soon. */
  tend(
    fleet: Fleet,
    members: ReadonlySet<string>,
    right: Pick<HouseRight, 'guard'>,
    signal: AbortSignal,
  ): Promise<boolean>;
}

export interface FirewallDeps {
  readonly ports: Pick<Ports, 'firewall' | 'clock' | 'random' | 'self' | 'meter'>;
  readonly options: Pick<DaemonOptions, 'cluster' | 'housekeepingIntervalMs' | 'firewall'>;
  readonly fleetView: Pick<FleetView, 'evidence'>;
  readonly chronicle: Chronicle;
}

/** While EC2 refuses, or does not answer, it is asked less and less often. */
const RETRY = { firstMs: 2_000, mostMs: 60_000 };

/** What was changed is read again after this time: EC2 shows it a moment later. */
const READ_AGAIN_MS = 5_000;

/** What is known of one region's groups. */
interface RegionMemory {
  groups: Known<readonly SecurityGroup[]>;
  /** Ids of the instances whose groups they are. */
  of: string;
  readAt: number;
  readonly reading: Backoff;
  readonly changing: Backoff;
}

/** The firewall of one appliance. What it remembers of the rules is only there to ask less. */
export function createFirewall({ ports, options, fleetView, chronicle }: FirewallDeps): Firewall {
  const { clock, firewall: port, self, meter } = ports;
  const { firewall: wanted, cluster } = options;
  const memory = new Map(
    (wanted?.regions ?? []).map((region): [string, RegionMemory] => [
      region,
      {
        groups: unknown('EC2 was not asked yet'),
        of: '',
        readAt: Number.NEGATIVE_INFINITY,
        reading: createBackoff(ports, RETRY),
        changing: createBackoff(ports, RETRY),
      },
    ]),
  );

  const look = async (fleet: Fleet, signal: AbortSignal): Promise<void> => {
    await Promise.all(
      [...memory].map(async ([region, it]) => {
        const at = clock.now();
        const ids = livingIn(fleet, region).map((one) => one.id);
        const of = ids.toSorted().join();
        const isFresh = of === it.of && at - it.readAt < options.housekeepingIntervalMs;
        if (isFresh || it.reading.waits()) return;
        it.groups = await port.groups(region, ids, signal);
        it.of = of;
        it.readAt = it.groups.known ? at : Number.NEGATIVE_INFINITY;
        if (it.groups.known) it.reading.succeeded();
        else it.reading.failed();
      }),
    );
  };

  /** As if a region's groups had been read at that time, once a change came to this. */
  const readAtAfter = (outcome: FirewallOutcome['kind'], before: number): number => {
    if (outcome === 'full' || outcome === 'refused') return before;
    if (outcome === 'stale') return Number.NEGATIVE_INFINITY;
    return clock.now() - options.housekeepingIntervalMs + READ_AGAIN_MS;
  };

  /** Sends one change. What it made of the rules is known until they are read again. */
  const send = async (
    kind: 'open' | 'close',
    { region, groupId }: FirewallChange,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome['kind']> => {
    const it = memory.get(region);
    if (it === undefined || rules.length === 0) return 'done';
    const outcome = await port[kind](region, groupId, rules, signal);
    it.readAt = readAtAfter(outcome.kind, it.readAt);
    meter.acted(`firewall-${kind}`, outcome.kind);
    const who = `${region}, ${groupId}: ${rules.map((rule) => rule.address).join(', ')}`;
    if (outcome.kind === 'done') {
      it.changing.succeeded();
      it.groups = changed(it.groups, groupId, kind, rules);
      const verb = kind === 'open' ? 'lets in' : 'lets in no more';
      chronicle.event(`firewall-${kind}`, reason(`firewall-${kind}`, `${verb} ${who}`));
    } else {
      it.changing.failed();
      chronicle.trouble(
        `firewall-${kind}-${region}`,
        reason(`firewall-${outcome.kind}`, `${who}: ${outcome.message}`),
      );
    }
    return outcome.kind;
  };

  const isPaused = ({ region }: FirewallChange): boolean => memory.get(region)?.changing.waits() === true;
  const seenNow = (fleet: Fleet, { ports: ranges, withOwnRegion }: NonNullable<typeof wanted>) => ({
    cluster,
    fleet,
    groups: new Map([...memory].map(([region, it]) => [region, it.groups])),
    ports: ranges,
    withOwnRegion,
  });

  const preview: Firewall['preview'] = async (fleet, members, signal) => {
    if (wanted === undefined) return null;
    await look(fleet, signal);
    const seen = seenNow(fleet, wanted);
    const evidence = await fleetView.evidence(instancesInDoubt(seen), signal);
    return planFirewall({ ...seen, members, evidence });
  };

  return {
    preview,
    forget() {
      for (const it of memory.values()) it.readAt = Number.NEGATIVE_INFINITY;
    },
    async arrive(fleet, signal) {
      if (wanted === undefined) return;
      await look(fleet, signal);
      const { changes, reasons } = planArrival(seenNow(fleet, wanted), self);
      chronicle.plan('firewall', reasons);
      for (const change of changes.filter((it) => !isPaused(it)))
        await send('open', change, change.open, signal);
    },
    async tend(fleet, members, right, signal) {
      const plan = await preview(fleet, members, signal);
      if (plan === null) return true;
      const { changes, reasons } = plan;
      chronicle.plan('firewall', reasons);
      let answered = true;
      for (const change of changes.filter((it) => !isPaused(it))) {
        // What is over goes first: the group may be full of it.
        if (change.close.length > 0 && !(await right.guard(signal))) return false;
        const closed = await send('close', change, change.close, signal);
        const opened = await send('open', change, change.open, signal);
        answered &&= ![closed, opened].some((it) => it === 'unknown' || it === 'stale');
      }
      return answered && [...memory.values()].every((it) => it.groups.known);
    },
  };
}

function changed(
  groups: RegionMemory['groups'],
  groupId: string,
  kind: 'open' | 'close',
  rules: readonly IngressRule[],
): RegionMemory['groups'] {
  if (!groups.known) return groups;
  const after = (before: readonly IngressRule[]): readonly IngressRule[] =>
    kind === 'open' ? [...before, ...rules] : before.filter((it) => !rules.includes(it));
  return known(groups.value.map((it) => (it.id === groupId ? { ...it, rules: after(it.rules) } : it)));
}
