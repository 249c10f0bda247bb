import { atMost, type Measure } from './targets.ts';

/** The edges that one cluster goes along in place, by the minor that each leads to. */
export const PLACE_EDGES = [
  { from: '3.4', to: '3.5', makesWay: null },
  // What a look at the health of 3.4 leaves in the logs is cleared, member by member.
  { from: '3.5', to: '3.6', makesWay: 'clear' },
  // The logs go back to 3.5 until every member has taken a snapshot.
  { from: '3.6', to: '3.7', makesWay: 'snapshot' },
] as const;
export type PlaceEdge = (typeof PLACE_EDGES)[number];

/** How a cluster comes to another minor: from 3.4 to 3.5 by new images, by a refresh, and in place along each edge. */
export type Way = 'images' | 'refresh' | `place-${PlaceEdge['to']}`;

/** How long an upgrade may keep all writes waiting. */
const GAP_MS = 500;

/** What a replaced member may take beyond the boot of its process. */
const MEMBER = {
  title: "the same for each, beyond the boot of its successor's process",
  unit: 'ms',
  target: atMost(12_000),
} as const satisfies Measure;

/** What one step in place may take. */
const STEP = {
  title: 'the same: the step of a member, from the lock to its release',
  unit: 'ms',
  target: atMost(4_000),
} as const satisfies Measure;

/** What clients see of an upgrade, by whatever way. */
function clientsSee<W extends Way>(
  way: W,
): Readonly<Record<`upgrade.${W}-${'gap' | 'errors' | 'lost'}`, Measure>> {
  const measures: Readonly<Record<string, Measure>> = {
    [`upgrade.${way}-gap`]: {
      title: 'longest gap between acknowledged writes meanwhile',
      unit: 'ms',
      target: atMost(GAP_MS),
    },
    [`upgrade.${way}-errors`]: { title: 'writes that were not acknowledged', unit: 'calls' },
    [`upgrade.${way}-lost`]: {
      title: 'acknowledged writes that were lost',
      unit: 'calls',
      target: atMost(0),
    },
  };
  return measures as Readonly<Record<`upgrade.${W}-${'gap' | 'errors' | 'lost'}`, Measure>>;
}

/** What is measured of upgrades, in the order of the report. */
export const UPGRADE_MEASURES = {
  'upgrade.images': { title: '3.4 to 3.5 by new images, terminated one by one: all three', unit: 'ms' },
  'upgrade.images-member': MEMBER,
  ...clientsSee('images'),
  'upgrade.refresh': { title: '3.4 to 3.5 by an instance refresh with hooks: all three', unit: 'ms' },
  'upgrade.refresh-member': MEMBER,
  ...clientsSee('refresh'),
  'upgrade.place-3.5': {
    title: '3.4 to 3.5 in place, appliances restarted one by one: all three',
    unit: 'ms',
  },
  'upgrade.place-3.5-step': STEP,
  ...clientsSee('place-3.5'),
  'upgrade.place-3.6': {
    title: '3.5 to 3.6 in place, with requests of the old API in the logs: all three',
    unit: 'ms',
  },
  'upgrade.place-3.6-step': STEP,
  'upgrade.place-3.6-clear': {
    title: 'the same: the clearing of the log of a member before it, under a lock of its own',
    unit: 'ms',
  },
  ...clientsSee('place-3.6'),
  'upgrade.place-3.7': {
    title: '3.6 to 3.7 in place, with entries of 3.5 in the logs: all three',
    unit: 'ms',
  },
  'upgrade.place-3.7-step': STEP,
  'upgrade.place-3.7-snapshot': {
    title: 'the same: the snapshots of all members before it, under a lock of its own',
    unit: 'ms',
  },
  ...clientsSee('place-3.7'),
} as const satisfies Readonly<Record<`upgrade.${Way}${string}`, Measure>>;
