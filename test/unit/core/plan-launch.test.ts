import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/core/fleet.ts';
import type { Known } from '../../../src/core/known.ts';
import type { LaunchHold, LaunchObservation } from '../../../src/core/plan-launch.ts';
import { launchHold } from '../../../src/core/plan-launch.ts';
import type { UpgradeCode, UpgradePlan } from '../../../src/core/plan-upgrade.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { planWithout } from '../../../src/core/plan-upgrade.ts';
import { reason } from '../../../src/core/reason.ts';
import { fleet, idOf, instance } from '../../fixtures/core/world.ts';

const plan = (code: UpgradeCode, ...waiting: readonly string[]): UpgradePlan => ({
  ...planWithout({ kind: 'none', reason: reason(code, 'as planned') }),
  waiting,
});

/** i-1 runs what it aims at, and there is nothing to upgrade. */
const seen = (more: Partial<LaunchObservation> = {}): LaunchObservation => ({
  self: 'i-1',
  steps: false,
  upgrade: plan('upgrade-done'),
  fleet: unknown('not needed'),
  runs: '3.6.16',
  aim: '3.6.16',
  ...more,
});

/** i-1 waits for other images than those of these instances. */
const barred = (lacking: readonly number[], view: Known<Fleet>): LaunchObservation =>
  seen({
    self: idOf(1),
    upgrade: { ...plan('upgrade-lacks', idOf(1)), lacking: lacking.map(idOf) },
    fleet: view,
  });

const cases: readonly (readonly [name: string, seen: LaunchObservation, hold: LaunchHold])[] = [
  ['all is done', seen(), 'nothing'],
  ['nobody has looked yet', seen({ upgrade: null }), 'step'],
  ['it steps', seen({ steps: true }), 'step'],
  [
    'it steps, and nobody can tell what is next',
    seen({ steps: true, upgrade: plan('upgrade-unknown') }),
    'step',
  ],
  ['its step is next', seen({ upgrade: plan('upgrade-step', 'i-1') }), 'step'],
  ['its log is cleared first', seen({ upgrade: plan('upgrade-clear', 'i-1') }), 'step'],
  [
    'snapshots are brought about first',
    seen({ upgrade: plan('upgrade-bring-snapshot', 'i-2', 'i-1') }),
    'step',
  ],
  ['its step comes after that of another', seen({ upgrade: plan('upgrade-locked', 'i-2', 'i-1') }), 'step'],
  ['another steps, and nobody knows who is next', seen({ upgrade: plan('upgrade-locked') }), 'step'],
  [
    'a step was left behind, and nobody knows who is next',
    seen({ upgrade: plan('upgrade-orphaned') }),
    'step',
  ],
  ['the next round may begin in a moment', seen({ upgrade: plan('upgrade-settling') }), 'step'],
  ['others alone have to step', seen({ upgrade: plan('upgrade-step', 'i-2') }), 'nothing'],
  [
    'others alone have to step in this round, and it does in the next',
    seen({ upgrade: plan('upgrade-step', 'i-2'), aim: '3.7.3' }),
    'step',
  ],
  [
    'others have to step, and it runs more than it aims at',
    seen({ upgrade: plan('upgrade-step', 'i-2'), aim: '3.5.35' }),
    'nothing',
  ],
  ['its aim is not known', seen({ upgrade: plan('upgrade-step', 'i-2'), aim: null }), 'nothing'],
  ['what it runs is not known', seen({ upgrade: plan('upgrade-step', 'i-2'), runs: null }), 'nothing'],
  ['what there is to do is not known', seen({ upgrade: plan('upgrade-unknown') }), 'obstacle'],
  ['another catches up before its step', seen({ upgrade: plan('upgrade-learner', 'i-1') }), 'obstacle'],
  ['another leaves before its step', seen({ upgrade: plan('upgrade-unhealthy', 'i-1') }), 'obstacle'],
  ['another is silent before its step', seen({ upgrade: plan('upgrade-silent', 'i-2', 'i-1') }), 'obstacle'],
  [
    'another catches up, and others alone have to step',
    seen({ upgrade: plan('upgrade-learner', 'i-2') }),
    'nothing',
  ],
  [
    'it waits for other images, however high it aims',
    seen({ upgrade: plan('upgrade-lacks', 'i-1'), aim: '3.7.3' }),
    'nothing',
  ],
  ...(
    [
      ['is there', 'InService', 'nothing'],
      ['is told to end', 'Terminating', 'obstacle'],
      ['ends', 'Terminating:Wait', 'obstacle'],
      ['is set aside', 'Standby', 'obstacle'],
    ] as const
  ).map(([how, lifecycle, hold]): (typeof cases)[number] => [
    `the only old image bars its step, and its instance ${how}`,
    barred([2], known(fleet([1, instance(2, { lifecycle })]))),
    hold,
  ]),
  [
    'the only old image bars its step, and its group lists it no more',
    barred([2], known(fleet([1]))),
    'obstacle',
  ],
  [
    'of two old images that bar its step, one leaves',
    barred([2, 3], known(fleet([1, 2, instance(3, { lifecycle: 'Terminating' })]))),
    'nothing',
  ],
  ['old images bar its step, and nobody knows the fleet', barred([2], unknown('throttled')), 'nothing'],
  [
    'an old image that leaves bars the step of others',
    { ...barred([2], known(fleet([1]))), upgrade: { ...plan('upgrade-lacks', 'i-3'), lacking: ['i-2'] } },
    'nothing',
  ],
  [
    'what an operator has paused, an old image that leaves bars as well',
    { ...barred([2], known(fleet([1]))), upgrade: { ...plan('upgrade-paused', 'i-1'), lacking: ['i-2'] } },
    'nothing',
  ],
  ['an operator has paused it', seen({ upgrade: plan('upgrade-paused', 'i-1'), aim: '3.7.3' }), 'nothing'],
];

describe('a launch is held up', () => {
  it.each(cases)('%s', (_name, observed, hold) => {
    expect(launchHold(observed)).toBe(hold);
  });
});
