import { expect, it } from 'vitest';
import { keepSayingHowItStands, standingLine } from '../../src/app-standing.ts';
import { known } from '../../src/core/known.ts';
import { planWithout } from '../../src/core/plan-upgrade.ts';
import { reason } from '../../src/core/reason.ts';
import { createState } from '../../src/daemon/state.ts';
import { status } from '../fixtures/core/world.ts';
import { createVirtualClock } from '../fakes/virtual-clock.ts';

it('says of an appliance that has just started that it does not serve', () => {
  expect(standingLine(createState())).toEqual({
    phase: 'starting',
    ready: false,
    notReady: 'it starts',
    keepsHouse: false,
    upgrade: 'none',
    errors: '',
    codes: '  ',
  });
});

// Measured: node-cron 4.6 is silent for an hour where the wall clock is put back by one, and goes on so when it is right again.
it('is said once a minute of the monotonic clock, until the end', async () => {
  const clock = createVirtualClock();
  const over = new AbortController();
  const said: unknown[] = [];
  const log = { info: (fields: object, message: string) => void said.push([message, fields]) };
  const saying = keepSayingHowItStands(createState(), { clock, log }, over.signal);
  await clock.advance(185_000);
  expect(said).toEqual(Array.from({ length: 3 }, () => ['stands', standingLine(createState())]));
  over.abort(new Error('the end'));
  await expect(saying).rejects.toThrow('the end');
});

it('has the codes of all plans once each, with a blank around each', () => {
  const state = createState();
  state.plans.set('member', [reason('member-no-quorum', 'nobody leads'), reason('claim-unknown', 'busy')]);
  state.plans.set('dns', [reason('claim-unknown', 'busy')]);
  expect(standingLine(state).codes).toBe(' claim-unknown member-no-quorum ');
});

it('says what etcd says of itself, that it serves, and that it keeps house', () => {
  const state = createState();
  state.phase = 'running';
  state.notReady = null;
  state.keepsHouse = true;
  state.ownStatus = known(status(1, { errors: ['memberID:2 alarm:NOSPACE ', 'etcdserver: no leader'] }));
  expect(standingLine(state)).toMatchObject({
    phase: 'running',
    ready: true,
    notReady: null,
    keepsHouse: true,
    errors: 'memberID:2 alarm:NOSPACE  etcdserver: no leader',
  });
});

it('says how an upgrade stands', () => {
  const state = createState();
  state.upgrade = planWithout({ kind: 'none', reason: reason('upgrade-paused', 'an operator paused it') });
  expect(standingLine(state).upgrade).toBe('stands');
});

it.each([
  ['leaving', 'it leaves'],
  ['stopped', 'it has stopped'],
] as const)(
  'says of an appliance that is %s that it is not ready, though its etcd may still serve',
  (phase, why) => {
    const state = { ...createState(), phase, notReady: null };
    expect(standingLine(state)).toMatchObject({ ready: false, notReady: why });
  },
);
