import { known } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { Misnamed, UpgradeObservation } from '../core/upgrade.ts';
import { isDowngradeIdle } from '../core/upgrade-downgrade.ts';
import { isLeft } from '../core/upgrade-step.ts';
import { clientUrl } from '../core/urls.ts';
import type { UpgradeAction } from '../core/plan-upgrade.ts';
import { pauseAfterMs } from './backoff.ts';
import type { Context } from './context.ts';
import type { MemberLook } from './state.ts';
import type { OrphanMemory } from './upgrade-look.ts';
import { readPublished } from './published.ts';
import { lookAtUpgrade } from './upgrade-look.ts';
import { newsOf } from './upgrade-pace.ts';
import { askWord } from './upgrade-word.ts';

/** Each turn that is given up costs two records, two changes of names, and a moment in which nobody keeps house. */
const GAVE_UP_PAUSE = { firstMs: 1_000, mostMs: 30_000 };

/** What is remembered between looks; safety rests on it only as far as a step of somebody dead is waited for longer. */
export interface UpgradeMemory extends OrphanMemory {
  /**
   * An earlier life of this instance left the lock, or a step that it had begun; or, where this member leads, one that is a
   * member no more did. Nobody else has the lock.
   */
  left: boolean;
  /** Since when there have been just two voters, on the clock; null: there are others. */
  pairSince: number | null;
  /** Since when clients have been sent wrongly, while nobody else steps, on the clock; null: they are not. */
  misnamedSince: number | null;
  /** Since when a downgrade has been under way at which nobody else works, on the clock; null: there is none. */
  downgradeIdleSince: number | null;
  /** What may bring on an upgrade that stands still, as etcd said it in the last look; null: it was not asked, or did not tell. */
  news: string | null;
  /** This life has not planned yet. */
  begins: boolean;
  /** What was last done, or tried, under the lock; null: nothing. */
  acted: UpgradeAction | null;
  /** The last turn was given up before anything was stopped, as so many in a row; null: it was not. */
  gaveUp: { readonly why: string; readonly times: number; readonly until: number } | null;
  /** The members as last looked at. */
  members: readonly MemberLook[];
}

/** What is remembered before the first look. */
export function freshUpgradeMemory(): UpgradeMemory {
  return {
    orphan: null,
    left: false,
    pairSince: null,
    misnamedSince: null,
    downgradeIdleSince: null,
    news: null,
    begins: true,
    acted: null,
    gaveUp: null,
    members: [],
  };
}

/** Remembers how a turn ended: `why` it was given up before anything was stopped, as a clause; null: it was not. */
export function noteTurn({ ports }: Pick<Context, 'ports'>, memory: UpgradeMemory, why: string | null): void {
  const { clock, random } = ports;
  const times = (memory.gaveUp?.times ?? 0) + 1;
  const until = clock.now() + pauseAfterMs(times, GAVE_UP_PAUSE, random.fraction());
  memory.gaveUp = why === null ? null : { why, times, until };
}

/** Whether etcd was started to clear its log, and is to be started as usual by whoever comes next. */
export function isLeftClearing({ state }: Pick<Context, 'state'>): boolean {
  return state.swap === null && state.etcd !== null && (state.identity?.snapshotCount ?? null) !== null;
}

/** Everything that the plan of an upgrade rests on, in one look through the own etcd; `acts`: under the lock, before a step. */
export async function observeUpgrade(
  context: Context,
  memory: UpgradeMemory,
  { acts }: { readonly acts: boolean },
  signal: AbortSignal,
): Promise<Known<UpgradeObservation>> {
  const { admin, clock, self } = context.ports;
  const seen = await lookAtUpgrade(
    {
      admin,
      clock,
      endpoint: clientUrl(self.address),
      ask: async (address, cut) => await askWord(context, address, false, cut),
      self: self.id,
      acts,
    },
    memory,
    signal,
  );
  if (!seen.known) return seen;
  const { observation, members } = seen.value;
  const isPair = members.filter((it) => !it.learner).length === 2;
  memory.members = members;
  memory.pairSince = isPair ? (memory.pairSince ?? clock.now()) : null;
  const names = await namesOf(context, observation, signal);
  memory.misnamedSince = names === null ? null : (memory.misnamedSince ?? clock.now());
  memory.left = isLeft(observation);
  memory.news = observation.record.known ? newsOf(observation.record.value, observation.members) : null;
  memory.downgradeIdleSince = isDowngradeIdle(observation)
    ? (memory.downgradeIdleSince ?? clock.now())
    : null;
  const since = (at: number | null): number | null => (at === null ? null : clock.now() - at);
  return known({
    ...observation,
    clears: isLeftClearing(context),
    pairForMs: since(memory.pairSince),
    misnamed: names === null ? null : { ...names, forMs: since(memory.misnamedSince) ?? 0 },
    downgradeIdleForMs: since(memory.downgradeIdleSince) ?? 0,
    gaveUp: memory.gaveUp !== null && clock.now() < memory.gaveUp.until ? memory.gaveUp.why : null,
  });
}

/** Where what the housekeeper says is named differs from the members; nothing while another steps, or where nothing is published. */
async function namesOf(
  { ports: { admin, self } }: Context,
  { members, lockedBy }: UpgradeObservation,
  signal: AbortSignal,
): Promise<Pick<Misnamed, 'unnamed' | 'gone'> | null> {
  if (lockedBy !== null && lockedBy !== self.id) return null;
  const published = await readPublished(admin, clientUrl(self.address), signal);
  if (published === null) return null;
  const named = new Set(published.named);
  const present = new Set(members.map((it) => it.name));
  const serve = members.filter((it) => !it.learner && it.unhealthy === null).map((it) => it.name);
  const unnamed = serve.filter((it) => !named.has(it));
  const gone = published.named.filter((it) => !present.has(it));
  return unnamed.length + gone.length > 0 ? { unnamed, gone } : null;
}
