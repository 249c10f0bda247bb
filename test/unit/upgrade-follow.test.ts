import { describe, expect, test } from 'vitest';
import type { ClusterUpgrade } from '../../src/app-upgrade.ts';
import { follow } from '../../src/cli/upgrade-follow.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { Known } from '../../src/core/known.ts';
import type { UpgradeObservation, UpgradeRecord } from '../../src/core/upgrade.ts';
import { looksAt, three } from '../fixtures/core/upgrade.ts';

const never = new AbortController().signal;

/** At rest on 3.5, whose record says this. */
function rests(record: Partial<UpgradeRecord>): Known<UpgradeObservation> {
  return known(looksAt(three('3.5.35'), { record: { to: '3.5', ...record } }));
}

/** On its way to 3.6. */
const GOES_ON = known(looksAt(three('3.5.35'), { record: { to: '3.6' } }));

/** Follows what is seen look by look, the last of them for ever; time passes as it sleeps. */
async function followed(looks: readonly Known<UpgradeObservation>[], order: string | null | undefined) {
  const notes: string[] = [];
  const rediscovered: number[] = [];
  let [now, turn] = [0, 0];
  const upgrade: ClusterUpgrade = {
    look: () => {
      turn += 1;
      return Promise.resolve(looks[Math.min(turn, looks.length) - 1] ?? unknown('nothing'));
    },
    write: () => Promise.reject(new Error('nothing is written')),
    empty: () => Promise.reject(new Error('nothing is emptied')),
    ring: () => Promise.resolve(),
    know: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
  const rest = await follow(
    {
      cluster: 'demo.example.org',
      upgrade,
      view: { show: () => undefined, note: (text) => void notes.push(text), end: () => undefined },
      orders: [],
      order,
      refreshes: null,
      rediscover: () => {
        rediscovered.push(now);
        return Promise.resolve([]);
      },
      clock: {
        now: () => now,
        sleep: (ms) => {
          now += ms;
          return Promise.resolve();
        },
      },
    },
    never,
  ).catch((error: unknown) => error as Error);
  return { rest, notes, rediscovered };
}

describe('two operators at once', () => {
  test('who is overtaken before its first look is told, and follows the order that stands', async () => {
    const { rest, notes } = await followed([rests({ to: '3.5' })], '3.6');
    expect(notes).toEqual(['another operator ordered etcd 3.5: that is followed now']);
    expect(rest).toMatchObject({ verdict: { kind: 'done' }, report: { record: { to: '3.5' } } });
  });

  test('who is overtaken later is told, once; and whose order is taken back', async () => {
    const { notes } = await followed([GOES_ON, GOES_ON, rests({ to: null })], '3.6');
    expect(notes).toEqual(['another operator took the order back: ETCD_VERSION of each instance counts']);
  });

  test('whose order stands is told nothing, though its record cannot be read for a while', async () => {
    const unread = known({ ...looksAt(three('3.5.35')), record: unknown('etcd is slow') });
    expect((await followed([unread, GOES_ON, unread, rests({ to: '3.6' })], '3.6')).notes).toEqual([]);
    expect((await followed([rests({})], undefined)).notes).toEqual([]);
  });
});

describe('while no member answers', () => {
  test('Route 53 is read every 5 s at most, and each reason said once', async () => {
    const silent = (reason: string) => Array.from({ length: 30 }, () => unknown(reason));
    const { notes, rediscovered } = await followed(
      [...silent('deadline'), ...silent('refused'), rests({})],
      '3.5',
    );
    expect(notes).toEqual(['cannot be seen for 5 s: deadline', 'cannot be seen for 15 s: refused']);
    expect(rediscovered).toEqual([5_000, 10_000, 15_000, 20_000, 25_000]);
  });

  test('a moment is no news, and the next outage is told anew', async () => {
    const outage = Array.from({ length: 12 }, () => unknown('deadline'));
    expect((await followed([...outage.slice(3), rests({})], '3.5')).notes).toEqual([]);
    const { notes } = await followed([...outage, GOES_ON, ...outage, rests({})], '3.6');
    expect(notes.filter((it) => it.startsWith('cannot'))).toHaveLength(2);
  });

  test('it is given up after a minute', async () => {
    const { rest, rediscovered } = await followed([unknown('deadline')], '3.5');
    expect(rest).toMatchObject({ code: 'unavailable' });
    expect(rediscovered).toHaveLength(11);
  });
});
