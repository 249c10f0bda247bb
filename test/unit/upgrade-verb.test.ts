import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPatience, createProgress, verdictOf } from '../../src/cli/upgrade-progress.ts';
import { renderReport, reportOf } from '../../src/cli/upgrade-report.ts';
import type { Report } from '../../src/cli/upgrade-report.ts';
import { createUpgradeView, lineView } from '../../src/cli/upgrade-view.ts';
import { ordersOf, readEndpoint, readWish, withOrders } from '../../src/cli/upgrade-wish.ts';
import type { UpgradeOptions } from '../../src/cli/upgrade-wish.ts';
import { known, unknown } from '../../src/core/known.ts';
import { planUpgrade } from '../../src/core/plan-upgrade.ts';
import type { UpgradeMember, UpgradeObservation, UpgradeRecord } from '../../src/core/upgrade.ts';
import { wordOf } from '../fixtures/core/upgrade.ts';

const AT = '2026-11-21T10:00:00.000Z';
const NOTHING: UpgradeRecord = { to: null, paused: null, step: null, failed: null };
const FAILED = { by: 'i-0b', from: '3.4.39', to: '3.5.35', at: AT, why: 'etcd 3.5.35 does not come up' };

function wish(options: Partial<UpgradeOptions>) {
  return readWish({ follow: true, ...options });
}

function member(name: string, changes: Partial<UpgradeMember> = {}): UpgradeMember {
  return {
    id: `0${name}`,
    name,
    learner: false,
    started: true,
    unhealthy: null,
    version: '3.4.39',
    storage: null,
    appliedIndex: 10,
    dbSizeBytes: 1_000,
    answer: known(wordOf(name, { installed: ['3.4.39', '3.5.35'], wanted: '3.4' })),
    ...changes,
  };
}

function cluster(
  record: Partial<UpgradeRecord> = {},
  members: readonly UpgradeMember[] = [member('i-0a'), member('i-0b'), member('i-0c')],
  changes: Partial<UpgradeObservation> = {},
): UpgradeObservation {
  return {
    members,
    leaderId: '0i-0a',
    versions: known({ cluster: '3.4.0', downgradeTarget: null }),
    alarms: known([]),
    auth: known(false),
    record: known({ ...NOTHING, ...record }),
    lockedBy: null,
    orphanedForMs: 0,
    self: '',
    ...changes,
  };
}

function report(seen: UpgradeObservation, changes: Partial<Report> = {}): Report {
  const more = { orders: [], dryRun: false, refresh: null };
  return { ...reportOf('demo.example.org', seen, planUpgrade(seen), more), ...changes };
}

describe('the options', () => {
  it.each(['newest', '', '3', '3.6.1.2', '3.06', '-3.6', '3.6 ', '3.6;rm', '9'.repeat(9)])(
    '--to %j is a usage error in one line',
    (to) => {
      expect(() => wish({ to })).toThrow(/^--to .* is no version of etcd; allowed is [^\n]*$/);
    },
  );

  it.each([
    { pause: true, resume: true },
    { to: '3.6', abort: true },
    { resume: true, abort: true },
    { refresh: true, pause: true },
    { refresh: true, abort: true },
    { refresh: true, follow: false },
  ] as const)('%j contradict each other', (options) => {
    expect(() => wish(options)).toThrow(/contradict each other/);
  });

  it('takes a leading v, and does not follow what only stops', () => {
    expect(wish({ to: 'v3.6.16' })).toMatchObject({ to: '3.6.16', follow: true });
    for (const it of [{ pause: true }, { abort: true }, { dryRun: true }] as const)
      expect(wish(it).follow).toBe(false);
  });

  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1:2379', '10.0.0.1'],
    ['http://10.0.0.1:2379', '10.0.0.1'],
    ['http://[::1]:2379/', '::1'],
    ['demo.example.org', 'demo.example.org'],
  ])('--endpoint %s is at %s', (given, address) => expect(readEndpoint(given)).toBe(address));

  it.each(['', ' ', 'a b', '-x', 'http://', 'x/y', 'file:///etc/passwd'])(
    '--endpoint %j is refused',
    (given) => expect(() => readEndpoint(given)).toThrow(/is no address/),
  );
});

describe('what is written', () => {
  const parts = (options: Partial<UpgradeOptions>, record: Partial<UpgradeRecord> = {}) =>
    ordersOf(wish(options), { ...NOTHING, ...record }, AT).map(({ part, value }) => [part, value]);

  it('an order is one put, and clears what an earlier one failed of only after it', () => {
    expect(parts({ to: '3.5' })).toEqual([['to', '3.5']]);
    expect(parts({ to: '3.5' }, { to: '3.6', failed: FAILED })).toEqual([
      ['to', '3.5'],
      ['failed', null],
    ]);
  });

  it('the same order again writes nothing: it follows, and a failed step stays one', () => {
    expect(parts({ to: '3.5' }, { to: '3.5', failed: FAILED })).toEqual([]);
    expect(parts({})).toEqual([]);
  });

  it('a pause is kept as it was first written; resume clears the failed step before it lets go', () => {
    expect(parts({ pause: true })).toEqual([['paused', { at: AT }]]);
    expect(parts({ pause: true }, { paused: { at: 'earlier' } })).toEqual([]);
    expect(parts({ resume: true }, { paused: { at: AT }, failed: FAILED })).toEqual([
      ['failed', null],
      ['paused', null],
    ]);
  });

  it('an order that is to wait is paused before it is given', () => {
    expect(parts({ to: '3.5', pause: true }).map(([part]) => part)).toEqual(['paused', 'to']);
  });

  it('abort takes the order back, and nothing else: a pause and a failed step stay', () => {
    expect(parts({ abort: true }, { to: '3.5', paused: { at: AT }, failed: FAILED })).toEqual([['to', null]]);
    expect(parts({ abort: true })).toEqual([]);
  });

  it('is written once: whatever was wished, doing it again finds nothing to write', () => {
    const options = fc.record({
      to: fc.constantFrom(undefined, '3.5', '3.6.16'),
      pause: fc.constantFrom(undefined, true as const),
      resume: fc.constantFrom(undefined, true as const),
      abort: fc.constantFrom(undefined, true as const),
    });
    const record = fc.record({
      to: fc.constantFrom(null, '3.5', '3.7'),
      paused: fc.constantFrom(null, { at: AT }),
      step: fc.constant(null),
      failed: fc.constantFrom(null, FAILED),
    });
    fc.assert(
      fc.property(options, record, (given, before) => {
        let wished;
        try {
          const { to, pause, resume, abort } = given;
          wished = readWish({
            follow: true,
            ...(to && { to }),
            ...(pause && { pause }),
            ...(resume && { resume }),
            ...(abort && { abort }),
          });
        } catch {
          return;
        }
        const after = withOrders(before, ordersOf(wished, before, AT));
        expect(ordersOf(wished, after, 'later')).toEqual([]);
      }),
    );
  });
});

describe('the report', () => {
  it('shows members, images, the plan and each line of the preflight', () => {
    const text = renderReport(report(cluster({ to: '3.5' }, undefined, { auth: known(true) })));
    expect(text.split('\n').slice(0, 3)).toEqual([
      'demo.example.org: cluster version 3.4.0; ordered: 3.5',
      '  INSTANCE  ROLE    RUNS    AIMS AT  ITS IMAGE HAS',
      '  i-0a      leader  3.4.39  3.5.35   3.4.39, 3.5.35',
    ]);
    expect(text).toContain('plan: no step to etcd 3.5: authentication is on');
    expect(text).toContain('to step in this round: i-0b, i-0c, i-0a\n');
    expect(text).toMatch(/^ {2}ok {4}every member has started$/m);
    expect(text).toMatch(/^ {2}TO DO authentication is on: .*; switch it off \(upgrade-auth\)$/m);
  });

  it('says what is not known', () => {
    const seen = cluster(
      {},
      [member('i-0a', { version: null, answer: unknown('silence'), unhealthy: 'silent' })],
      {
        versions: unknown('silence'),
        record: unknown('a hand wrote it'),
      },
    );
    const text = renderReport(report(seen));
    expect(text).toContain('cluster version unknown; what was ordered is unknown');
    expect(text).toContain('no answer  unknown  unknown        silent');
    expect(text).toContain('plan: a hand wrote it');
  });
});

describe('the progress of a member', () => {
  const step = { by: 'i-0b', from: '3.4.39', to: '3.5.35', at: AT };
  const told = (changes: Partial<UpgradeMember>, record: Partial<UpgradeRecord> = { step }) =>
    createProgress()(cluster({ to: '3.5', ...record }, [member('i-0b', changes)]))[0];
  const stopped = member('i-0b').answer;
  const without = stopped.known ? known({ ...stopped.value, v2: unknown('etcd does not run') }) : stopped;

  it.each([
    ['waits', {}, { step: null }, 0],
    ['leaves DNS', {}, undefined, 1],
    ['stopped', { version: null, answer: without }, undefined, 2],
    ['stopped', { version: null, answer: unknown('silence') }, undefined, 2],
    ['starts', { version: null }, undefined, 3],
    ['catches up', { version: '3.5.35' }, undefined, 4],
    ['done', { version: '3.5.35' }, { step: null }, 5],
  ] as const)('%s', (stage, changes, record, done) => {
    const progress = createProgress();
    progress(cluster({ to: '3.5' }, [member('i-0b')]));
    const now = progress(cluster({ to: '3.5', ...(record ?? { step }) }, [member('i-0b', changes)]))[0];
    expect(now).toMatchObject({ stage, done, total: 5 });
  });

  it('counts every minor on the way, and never goes back', () => {
    const answer = member('x').answer;
    const all = answer.known
      ? known({ ...answer.value, installed: ['3.4.39', '3.5.35', '3.6.16', '3.7.3'] })
      : answer;
    const progress = createProgress();
    const at = (version: string) =>
      progress(cluster({ to: '3.7' }, [member('i-0b', { version, answer: all })]))[0];
    expect(['3.4.39', '3.5.35', '3.6.16', '3.7.3'].map((it) => [at(it)?.done, at(it)?.total])).toEqual([
      [0, 15],
      [5, 15],
      [10, 15],
      [15, 15],
    ]);
  });

  it('who runs what it aims at from the start is done, and who has nothing to aim at waits', () => {
    expect(told({}, { to: null })).toMatchObject({ stage: 'done', done: 5 });
    expect(told({}, { to: '3.7' })).toMatchObject({ stage: 'waits', final: null });
  });
});

describe('the verdict', () => {
  const standing = (changes: Partial<Report>): Report => report(cluster(), changes);
  const plan = { kind: 'none', code: 'x', sentence: 'why', who: null };
  const verdict = (it: Report, ms: number) => verdictOf(it, { stoodMs: ms, idleMs: ms });

  it('is done at once', () => expect(verdict(report(cluster()), 0)).toEqual({ kind: 'done' }));

  it('believes what only an operator mends when it stands', () => {
    const it_ = standing({ standing: 'stands', plan });
    expect(verdict(it_, 2_999)).toEqual({ kind: 'goes-on' });
    expect(verdict(it_, 3_000)).toEqual({ kind: 'stands', why: 'why' });
  });

  it('has patience with what mends itself, and with a step under way as long as it lasts', () => {
    for (const one of ['waits', 'moves'] as const) {
      expect(verdict(standing({ standing: one, plan }), 149_000)).toEqual({ kind: 'goes-on' });
      expect(verdict(standing({ standing: one, plan }), 150_000)).toMatchObject({ kind: 'stands' });
      expect(verdict(standing({ standing: one, plan, lockedBy: 'i-0a' }), 1e9)).toEqual({
        kind: 'goes-on',
      });
    }
  });

  it('lets those leave whom a refresh replaced', () => {
    const refresh = { id: 'r', status: 'Successful', active: false, percent: 100, why: null, group: 'g' };
    const ended = standing({ standing: 'stands', plan, refresh });
    expect(verdict(ended, 149_000)).toEqual({ kind: 'goes-on' });
    expect(verdict(ended, 150_000)).toMatchObject({ kind: 'stands' });
  });

  it('waits for a refresh, whatever the plan says meanwhile', () => {
    const refresh = { id: 'r', status: 'InProgress', active: true, percent: 0, why: null, group: 'g' };
    for (const one of ['none', 'stands'] as const)
      expect(verdict(standing({ standing: one, plan, refresh }), 1e9)).toEqual({ kind: 'goes-on' });
  });
});

describe('patience', () => {
  const says = (code: string, sentence: string, changes: Partial<Report> = {}): Report =>
    report(cluster(), { standing: 'moves', ...changes, plan: { kind: 'none', code, sentence, who: null } });

  it('ends where a lock is taken and given back for ever, with other words each time', () => {
    const patience = createPatience();
    const idle = Array.from({ length: 8 }, (_, turn) => {
      const locked = says('upgrade-locked', `i-0b steps since ${turn}`, { lockedBy: 'i-0b' });
      const free = says('upgrade-step', 'i-0b steps');
      return patience(turn % 2 === 0 ? free : locked, turn * 1_000).idleMs;
    });
    expect(idle).toEqual([0, 0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
  });

  it('begins anew with each member that comes to another etcd, and with each whose turn it is for the first time', () => {
    const patience = createPatience();
    expect(patience(report(cluster()), 0).idleMs).toBe(0);
    expect(patience(report(cluster()), 9_000).idleMs).toBe(9_000);
    expect(patience(report(cluster({}, [member('i-0a', { version: '3.5.35' })])), 10_000).idleMs).toBe(0);
    const clears = (who: string): Report => ({
      ...says('upgrade-clear', 'x'),
      plan: { kind: 'clear', code: 'upgrade-clear', sentence: 'x', who },
    });
    expect(patience(clears('i-0a'), 20_000).idleMs).toBe(0);
    expect(patience(clears('i-0b'), 30_000).idleMs).toBe(0);
  });

  it('believes what stands for one reason, whatever size its words name, and not across two', () => {
    const patience = createPatience();
    const stands = (code: string, sentence: string, now: number) =>
      patience(says(code, sentence, { standing: 'stands' }), now).stoodMs;
    expect(stands('upgrade-disk', '120 MB left', 0)).toBe(0);
    expect(stands('upgrade-disk', '119 MB left', 3_000)).toBe(3_000);
    expect(stands('upgrade-alarm', 'no space', 4_000)).toBe(0);
    expect(patience(says('upgrade-locked', 'x'), 5_000).stoodMs).toBe(0);
    expect(stands('upgrade-alarm', 'no space', 6_000)).toBe(0);
  });
});

describe('lines', () => {
  it('say what changes, once', () => {
    let text = '';
    const view = lineView({ write: (it) => (text += it) });
    const progress = createProgress();
    const show = (seen: UpgradeObservation) => view.show(report(seen), progress(seen));
    show(cluster({ to: '3.5' }));
    text = '';
    const step = { by: 'i-0b', from: '3.4.39', to: '3.5.35', at: AT };
    show(cluster({ to: '3.5', step }, undefined, { lockedBy: 'i-0b' }));
    show(cluster({ to: '3.5', step }, undefined, { lockedBy: 'i-0b' }));
    expect(text).toBe(
      `plan: i-0b steps from 3.4.39 to 3.5.35 since ${AT}\ni-0b leaves DNS: etcd 3.4.39, to 3.5.35\n`,
    );
  });
});

/** A terminal of 100 columns that keeps what is written to it. */
class Terminal extends Writable {
  readonly isTTY = true;
  readonly columns = 100;
  text = '';
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
  cursorTo(): void {}
  moveCursor(): void {}
  clearLine(): void {}
  clearScreenDown(): void {}
}

describe('bars on a terminal', () => {
  const step = { by: 'i-0b', from: '3.4.39', to: '3.5.35', at: AT };

  /** What a terminal has been given, look by look. */
  function shown(looks: readonly (readonly [UpgradeObservation, Partial<Report>?])[], note?: string): string {
    const terminal = new Terminal();
    const view = createUpgradeView(false, terminal as unknown as NodeJS.WriteStream);
    const progress = createProgress();
    for (const [seen, changes] of looks) view.show(report(seen, changes), progress(seen));
    if (note !== undefined) view.note(note);
    view.end();
    view.end();
    return terminal.text;
  }

  it('one a member, with its stage, below the whole report', () => {
    const text = shown([
      [cluster({ to: '3.5' })],
      [cluster({ to: '3.5', step }, undefined, { lockedBy: 'i-0b' })],
    ]);
    expect(text).toMatch(/^demo\.example\.org: cluster version 3\.4\.0; ordered: 3\.5\n/);
    expect(text).toMatch(/i-0a \[-+\] waits: etcd 3\.4\.39, to 3\.5\.35/);
    expect(text).toMatch(/plan: i-0b steps from 3\.4\.39 to 3\.5\.35 since /);
    expect(text).toMatch(/i-0b \[=+-+\] leaves DNS: etcd 3\.4\.39, to 3\.5\.35/);
  });

  it('full for who is done, and gone with a member that was replaced', () => {
    const [one, other] = [member('i-0a', { version: '3.5.35' }), member('i-0b')];
    const both = shown([[cluster({ to: '3.5' }, [one, other])]]);
    expect(both).toMatch(/i-0a \[=+\] done: etcd 3\.5\.35/);
    const last = shown([[cluster({ to: '3.5' }, [one, other])], [cluster({ to: '3.5' }, [other])]]);
    expect(last.lastIndexOf('i-0b [')).toBeGreaterThan(last.lastIndexOf('i-0a ['));
  });

  it('with lines above them for what is said beside them, each once, and the cursor given back', () => {
    const refresh = { id: 'r', status: 'InProgress', active: true, percent: 10, why: null, group: 'g' };
    const text = shown(
      [
        [cluster(), { refresh }],
        [cluster(), { refresh }],
      ],
      'another operator ordered etcd 3.6',
    );
    expect(text.match(/instance refresh of g: InProgress, 10 %\n/g)).toHaveLength(1);
    expect(text).toContain('another operator ordered etcd 3.6\n');
    expect(text.lastIndexOf('\u001B[?25h')).toBeGreaterThan(text.lastIndexOf('\u001B[?25l'));
  });
});
