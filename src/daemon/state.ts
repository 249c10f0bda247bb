import type { Fleet } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { unknown } from '../core/known.ts';
import type { DataIdentity, EtcdExit } from '../core/local-data.ts';
import type { MemberList, MemberStatus } from '../core/members.ts';
import type { UpgradePlan } from '../core/plan-upgrade.ts';
import type { Reason } from '../core/reason.ts';
import type { Sighting } from './fleet-view.ts';
import type { Clock, KeyValue, Log, Meter, RunningEtcd } from './ports.ts';
import type { Swap } from './swap-etcd.ts';

/** One line of what happened, for people. */
export interface ApplianceEvent {
  readonly at: string;
  readonly level: 'info' | 'warn';
  readonly what: string;
  readonly code: string;
  readonly sentence: string;
}

/** One member, as last looked at. */
export interface MemberLook {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly learner: boolean;
  readonly status: Known<MemberStatus>;
  /** Null where it serves. */
  readonly unhealthy: string | null;
}

/** What the face shows of a running appliance. All of it can be lost without harm (law 10). */
export interface ApplianceState {
  phase: 'starting' | 'running' | 'leaving' | 'stopped';
  /** This instance leaves, and hands over: housekeeping and leadership are others', unless it has to stay after all. */
  handsOver: boolean;
  etcd: RunningEtcd | null;
  /** etcd runs for the first time since this instance added itself as a learner. */
  joining: boolean;
  lastExit: EtcdExit | null;
  identity: DataIdentity | null;
  ownStatus: Known<MemberStatus>;
  list: Known<MemberList>;
  /** Monotonic time at which the own etcd gave that list; ms. */
  listedAt: number;
  /** The last linearizable answer of the own etcd about the maintenance lock, and when it came; null: none yet. */
  lockRead: { readonly at: number; readonly lock: KeyValue | null } | null;
  members: readonly MemberLook[];
  /** When members were last looked at; null: never. */
  looked: Sighting | null;
  fleet: Known<Fleet>;
  /** When that fleet was seen, by whoever asked AWS; null: none was. */
  fleetSeen: Sighting | null;
  /** Who published what members and fleet show, and when; null: this appliance saw it itself. */
  publishedBy: string | null;
  publishedAt: string | null;
  /** Epoch of the formed claim that was published; null: none, or this appliance reads the claim itself. */
  publishedEpoch: number | null;
  keepsHouse: boolean;
  /** The last plan of an upgrade; null: there is nothing to upgrade, or this member has no say yet. */
  upgrade: UpgradePlan | null;
  /** The etcd that this instance aimed at, as last looked: a version; null: nobody looked, or it has none. */
  aim: string | null;
  /** etcd runs, or is about to run, otherwise than its data say: a step is under way. */
  swap: Swap | null;
  /** The own etcd does not come up, and etcd forbids the one before it: only an operator can mend that. */
  noWayBack: Reason<'upgrade-no-way-back'> | null;
  /** Monotonic time at which somebody last looked at what is shown; ms. */
  watchedAt: number;
  /** Null where this member serves; else why it is not ready. */
  notReady: string | null;
  /** The monotonic time of each loop's last turn; ms. */
  readonly turns: Map<string, number>;
  /** The last plan of each planner. */
  readonly plans: Map<string, readonly Reason[]>;
  readonly events: ApplianceEvent[];
}

const EVENTS_KEPT = 100;

/** The same trouble is said again after this time: ticks are many a second, and people read once. */
const TROUBLE_AGAIN_MS = 60_000;

/** A fresh state: nothing is known yet. */
export function createState(): ApplianceState {
  return {
    phase: 'starting',
    handsOver: false,
    etcd: null,
    joining: false,
    lastExit: null,
    identity: null,
    ownStatus: unknown('etcd does not run yet'),
    list: unknown('etcd does not run yet'),
    listedAt: Number.NEGATIVE_INFINITY,
    lockRead: null,
    members: [],
    looked: null,
    fleet: unknown('AWS was not asked yet'),
    fleetSeen: null,
    publishedBy: null,
    publishedAt: null,
    publishedEpoch: null,
    keepsHouse: false,
    upgrade: null,
    aim: null,
    swap: null,
    noWayBack: null,
    watchedAt: Number.NEGATIVE_INFINITY,
    notReady: 'it starts',
    turns: new Map(),
    plans: new Map(),
    events: [],
  };
}

/** Writes what happens to the log, the events and the metrics, once for each change of mind. */
export interface Chronicle {
  /** A planner's reasons: said once, and again only when they change. */
  plan(planner: string, reasons: readonly Reason[]): void;
  /** Something was done. */
  event(what: string, why: Reason, fields?: object): void;
  /**
   * Something went wrong that the next tick repairs: said when it begins, or goes wrong in another way, by code or by words
   * (numbers aside), and once a minute while it lasts.
   */
  trouble(what: string, why: Reason, fields?: object): void;
  /** A planner has no say any more: its last plan is not shown. */
  done(planner: string): void;
  /** A loop took a turn that began at this monotonic time. */
  turn(loop: string, startedAt: number): void;
}

/** The chronicle of one appliance. */
export function createChronicle(
  state: ApplianceState,
  deps: { readonly clock: Clock; readonly log: Log; readonly meter: Meter },
): Chronicle {
  const keep = (level: ApplianceEvent['level'], what: string, why: Reason): void => {
    state.events.push({ at: deps.clock.wallTime(), level, what, code: why.code, sentence: why.sentence });
    if (state.events.length > EVENTS_KEPT) state.events.shift();
  };
  /** Of each trouble that lasts, what was said of it, and when. */
  const troubles = new Map<string, ReadonlyMap<string, number>>();
  return {
    plan(planner, reasons) {
      const before = state.plans.get(planner);
      const same =
        before !== undefined &&
        before.length === reasons.length &&
        before.every((it, index) => it.code === reasons[index]?.code);
      state.plans.set(planner, reasons);
      for (const it of reasons) deps.meter.planned(it.code);
      if (same) return;
      for (const it of reasons) {
        deps.log.info({ planner, reason: it.code, sentence: it.sentence }, 'planned');
        keep('info', planner, it);
      }
    },
    event(what, why, fields = {}) {
      troubles.delete(what);
      deps.log.info({ what, reason: why.code, sentence: why.sentence, ...fields }, 'acted');
      keep('info', what, why);
    },
    trouble(what, why, fields = {}) {
      const at = deps.clock.now();
      const recent = [...(troubles.get(what) ?? [])].filter(([, saidAt]) => at - saidAt < TROUBLE_AGAIN_MS);
      const way = wayOf(why);
      if (recent.some(([said]) => said === way)) return;
      troubles.set(what, new Map([...recent, [way, at]]));
      deps.log.warn({ what, reason: why.code, sentence: why.sentence, ...fields }, 'failed, will try again');
      keep('warn', what, why);
    },
    done(planner) {
      state.plans.delete(planner);
    },
    turn(loop, startedAt) {
      state.turns.set(loop, deps.clock.now());
      deps.meter.ticked(loop, (deps.clock.now() - startedAt) / 1000);
    },
  };
}

/** What tells one way of going wrong from another: not how long it took, or which process it was. */
function wayOf({ code, sentence }: Reason): string {
  return `${code} ${sentence.replaceAll(/\d+/g, '#')}`;
}
