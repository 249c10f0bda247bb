import { beforeEach, describe, expect, it } from 'vitest';
import { claimRecord, foundingClaim } from '../../../src/core/claim.ts';
import { markRecord } from '../../../src/core/mark.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import type { Register } from '../../../src/daemon/register.ts';
import { createRegister } from '../../../src/daemon/register.ts';
import { NAME, NEVER } from '../../fakes/bench.ts';
import type { FakeZone } from '../../fakes/fake-zone.ts';
import { createFakeZone } from '../../fakes/fake-zone.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import type { VirtualClock } from '../../fakes/virtual-clock.ts';
import { createVirtualClock } from '../../fakes/virtual-clock.ts';

let clock: VirtualClock;
let zone: FakeZone;
let register: Register;

beforeEach(() => {
  clock = createVirtualClock();
  zone = createFakeZone('example.org');
  register = createRegister({ zone: zone.port(NAME), clock, random: createSeededRandom(1) }, NAME);
});

const claim = (token: string): RecordSet =>
  claimRecord(
    namesOf(NAME).claim,
    foundingClaim({ stack: 'etcd-main', token, groups: [], founders: [], before: null }),
  );
const mark = markRecord(NAME, { instanceId: 'i-01', token: 't', nonce: 'n' });
/** What another appliance does behind this one's back. */
const byAnother = async (...changes: Parameters<Register['change']>[0]): Promise<void> => {
  const outcome = await zone.port(NAME).change(changes, NEVER);
  expect(outcome.kind).toBe('done');
};

describe('the register', () => {
  it('knows nothing before it has asked', () => {
    expect(register.last().known).toBe(false);
    expect(register.lastSince(Number.NEGATIVE_INFINITY).known).toBe(false);
    expect(register.claim().known).toBe(false);
    expect(register.standing()).toBe(null);
    expect(zone.calls()).toBe(0);
  });

  it('tells the claim that stands, and null of one that cannot be read', async () => {
    await register.read(0, NEVER);
    expect(register.standing()).toBe(null);
    await register.change([{ action: 'CREATE', record: claim('one') }], NEVER);
    expect(register.standing()?.token).toBe('one');
    const foreign = { ...claim('two'), values: ['"another format"'] };
    const changes = [
      { action: 'DELETE' as const, record: claim('one') },
      { action: 'CREATE' as const, record: foreign },
    ];
    await register.change(changes, NEVER);
    expect(register.standing()).toBe(null);
  });

  it('tells what it has read since a time, with what its batches have made of it', async () => {
    await register.read(0, NEVER);
    const read = clock.now();
    await clock.advance(1_000);
    await register.change([{ action: 'CREATE', record: claim('one') }], NEVER);
    expect(register.lastSince(read)).toEqual({ known: true, value: [claim('one')] });
    expect(register.lastSince(read + 1).known).toBe(false);
    await register.read(0, NEVER);
    expect(register.lastSince(read + 1).known).toBe(true);
  });

  it('says of a list that followed a change when it may be asked for once more', async () => {
    const never = Number.NEGATIVE_INFINITY;
    await register.read(0, NEVER);
    expect(register.isYoung(never)).toBe(false);
    await clock.advance(1_000);
    await register.change([{ action: 'CREATE', record: claim('one') }], NEVER);
    await clock.advance(10_000);
    // What the batch made of the list before it needs no other.
    expect(register.isYoung(never)).toBe(false);
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    await clock.advance(1_000);
    await register.read(0, NEVER);
    expect(register.isYoung(never)).toBe(false);
    await clock.advance(8_999);
    expect(register.isYoung(never)).toBe(false);
    await clock.advance(1);
    expect(register.isYoung(never)).toBe(true);
    await register.read(0, NEVER);
    expect(register.isYoung(never)).toBe(false);
  });

  it('says that of a list after others kept the records, too', async () => {
    await clock.advance(1_000);
    const since = clock.now();
    await register.read(0, NEVER);
    await clock.advance(9_999);
    expect(register.isYoung(since)).toBe(false);
    await clock.advance(1);
    expect(register.isYoung(since)).toBe(true);
    expect(register.isYoung(since + 1)).toBe(false);
    await register.read(0, NEVER);
    expect(register.isYoung(since)).toBe(false);
  });

  it('asks no more often than its reader needs', async () => {
    await register.read(5_000, NEVER);
    await clock.advance(5_000);
    await register.read(5_000, NEVER);
    expect(zone.calls()).toBe(1);
    await clock.advance(1);
    await register.read(5_000, NEVER);
    expect(zone.calls()).toBe(2);
    await register.read(5_000, NEVER);
    expect(zone.calls()).toBe(2);
  });

  it('knows what its own batch made without asking', async () => {
    await register.read(0, NEVER);
    await register.change([{ action: 'CREATE', record: claim('one') }], NEVER);
    await register.change(
      [
        { action: 'DELETE', record: claim('one') },
        { action: 'CREATE', record: claim('two') },
        { action: 'CREATE', record: mark },
      ],
      NEVER,
    );
    const calls = zone.calls();
    const records = await register.read(5_000, NEVER);
    expect(zone.calls()).toBe(calls);
    expect(records).toEqual({ known: true, value: expect.arrayContaining([claim('two'), mark]) });
    expect(records.known && records.value).toHaveLength(2);
    expect(register.claim()).toMatchObject({ known: true, value: { claim: { token: 'two' } } });
  });

  it('keeps its values and asks next time after a conflict', async () => {
    await register.read(0, NEVER);
    await byAnother({ action: 'CREATE', record: claim('theirs') });
    const outcome = await register.change([{ action: 'CREATE', record: claim('mine') }], NEVER);
    expect(outcome.kind).toBe('conflict');
    expect(register.claim()).toMatchObject({ value: { kind: 'none' } });
    await register.read(5_000, NEVER);
    expect(register.claim()).toMatchObject({ value: { claim: { token: 'theirs' } } });
  });

  it.each([
    ['lost', 'mine'],
    ['unknown', undefined],
    ['busy', undefined],
  ] as const)('believes neither after the outcome %s, and asks', async (failure, token) => {
    await register.read(0, NEVER);
    zone.failNext(failure);
    await register.change([{ action: 'CREATE', record: claim('mine') }], NEVER);
    expect(register.claim()).toMatchObject({ value: { kind: 'none' } });
    await register.read(60_000, NEVER);
    const reading = register.claim();
    expect(reading.known && reading.value.kind === 'claim' ? reading.value.claim.token : undefined).toBe(
      token,
    );
  });

  it('keeps the last known answer through an outage, and tells the reader that it is unknown', async () => {
    await byAnother({ action: 'CREATE', record: claim('one') });
    await register.read(0, NEVER);
    zone.breakDown('no answer');
    await clock.advance(1);
    expect(await register.read(0, NEVER)).toEqual({ known: false, reason: 'no answer' });
    expect(register.claim()).toMatchObject({ value: { claim: { token: 'one' } } });
  });

  it('asks a failing Route 53 less and less often, and as it is needed once it answers', async () => {
    zone.breakDown('no answer');
    for (let tick = 0; tick < 3_000; tick += 1) {
      await register.read(0, NEVER);
      await clock.advance(100);
    }
    // Five pauses that double from a second, and then ten to twenty of 15 to 30 s.
    expect(zone.calls()).toBeGreaterThan(14);
    expect(zone.calls()).toBeLessThan(27);
    zone.breakDown(null);
    await clock.advance(30_000);
    await register.read(0, NEVER);
    const calls = zone.calls();
    await clock.advance(1);
    await register.read(0, NEVER);
    expect(zone.calls()).toBe(calls + 1);
  });

  it("tells that its last question was not answered, in Route 53's own words, and how old its answer is", async () => {
    expect(register.unread()).toBe(null);
    await register.read(0, NEVER);
    await clock.advance(10_000);
    zone.breakDown('AccessDenied: no');
    await register.read(0, NEVER);
    await clock.advance(60_000);
    expect(register.unread()).toEqual({ forMs: 70_000, reason: 'AccessDenied: no' });
    zone.breakDown(null);
    await register.read(0, NEVER);
    expect(register.unread()).toBe(null);
  });

  it('counts silence from the first failure on, until reads and writes succeed', async () => {
    await register.read(0, NEVER);
    await clock.advance(10_000);
    expect(register.silentMs()).toBe(0);
    zone.breakDown('no answer');
    await register.read(0, NEVER);
    await clock.advance(60_000);
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    await clock.advance(60_000);
    expect(register.silentMs()).toBe(120_000);
    zone.breakDown(null);
    await register.read(0, NEVER);
    expect(register.silentMs()).toBe(60_000);
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    expect(register.silentMs()).toBe(0);
  });

  it('counts silence while the zone can be read and not written', async () => {
    zone.failNext('busy', 1_000);
    for (let tick = 0; tick < 1_300; tick += 1) {
      await register.read(5_000, NEVER);
      await register.change([{ action: 'CREATE', record: mark }], NEVER);
      await clock.advance(100);
    }
    expect(register.silentMs()).toBe(130_000);
    // 26 reads as ever, and a dozen batches with a read after each.
    expect(zone.calls()).toBeLessThan(60);
  });

  it('does not count a failed write of long ago', async () => {
    zone.failNext('busy');
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    await clock.advance(120_000);
    expect(register.silentMs()).toBe(0);
  });

  it('sends nothing for a while after a failure, and says that it did not', async () => {
    zone.failNext('unknown');
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    const calls = zone.calls();
    expect(await register.change([{ action: 'CREATE', record: claim('one') }], NEVER)).toEqual({
      kind: 'busy',
      message: 'not sent again yet: no answer',
    });
    expect(zone.calls()).toBe(calls);
    await clock.advance(1_000);
    expect(await register.change([{ action: 'CREATE', record: claim('one') }], NEVER)).toEqual({
      kind: 'done',
    });
  });

  it('repeats the conflict of the same batch without a call, and sends another at once', async () => {
    zone.occupy(`i-01.${NAME}`);
    const occupied: RecordSet = { name: `i-01.${NAME}`, type: 'A', ttl: 60, values: ['10.0.0.1'] };
    const batch = [{ action: 'CREATE', record: occupied }] as const;
    await register.read(0, NEVER);
    const first = await register.change(batch, NEVER);
    expect(first.kind).toBe('conflict');
    await register.read(0, NEVER);
    const calls = zone.calls();
    expect(await register.change(batch, NEVER)).toEqual(first);
    expect(zone.calls()).toBe(calls);
    expect((await register.change([{ action: 'CREATE', record: mark }], NEVER)).kind).toBe('done');
    expect(zone.calls()).toBe(calls + 1);
  });

  it('sends a refused batch again at once where the records are not what they were', async () => {
    await byAnother({ action: 'CREATE', record: claim('theirs') });
    await register.change([{ action: 'CREATE', record: claim('mine') }], NEVER);
    await byAnother({ action: 'DELETE', record: claim('theirs') }, { action: 'CREATE', record: mark });
    await register.read(0, NEVER);
    expect((await register.change([{ action: 'CREATE', record: claim('mine') }], NEVER)).kind).toBe('done');
  });

  it('does not hurry with batches that differ each time and are refused all the same', async () => {
    zone.occupy(namesOf(NAME).claim);
    for (let tick = 0; tick < 600; tick += 1) {
      await register.read(5_000, NEVER);
      await register.change([{ action: 'CREATE', record: claim(`token-${tick}`) }], NEVER);
      await clock.advance(100);
    }
    expect(zone.calls()).toBeLessThan(40);
  });

  it('does not count a conflict as silence: Route 53 answered', async () => {
    await byAnother({ action: 'CREATE', record: mark });
    await register.change([{ action: 'CREATE', record: mark }], NEVER);
    await clock.advance(1_000);
    expect(register.silentMs()).toBe(0);
  });

  it('measures how long the very same claim has stood', async () => {
    await byAnother({ action: 'CREATE', record: claim('one') });
    await register.read(0, NEVER);
    await clock.advance(100_000);
    // Another record of the name is no change of the claim.
    await byAnother({ action: 'CREATE', record: mark });
    await register.read(0, NEVER);
    expect(register.claimStoodMs()).toBe(100_000);
    await clock.advance(1);
    await byAnother({ action: 'DELETE', record: claim('one') }, { action: 'CREATE', record: claim('two') });
    await register.read(0, NEVER);
    expect(register.claimStoodMs()).toBe(0);
  });

  describe('with a list that is slow', () => {
    let release: () => void;
    let slow: Promise<unknown>;

    beforeEach(async () => {
      const port = zone.port(NAME);
      let hold: Promise<void> | null = null;
      register = createRegister(
        {
          clock,
          random: createSeededRandom(1),
          zone: {
            ...port,
            list: async (signal) => {
              const held = hold;
              hold = null;
              const answer = await port.list(signal);
              await held;
              return answer;
            },
          },
        },
        NAME,
      );
      await register.read(0, NEVER);
      await clock.advance(1);
      hold = new Promise((resolve) => {
        release = resolve;
      });
      slow = register.read(0, NEVER);
      await clock.advance(1);
    });

    it('does not lose a change that was taken meanwhile', async () => {
      await register.change([{ action: 'CREATE', record: claim('one') }], NEVER);
      release();
      await slow;
      expect(register.claim()).toMatchObject({ value: { claim: { token: 'one' } } });
    });

    it('asks again after it was told to forget meanwhile', async () => {
      await byAnother({ action: 'CREATE', record: claim('theirs') });
      register.forget();
      release();
      await slow;
      await register.read(60_000, NEVER);
      expect(register.claim()).toMatchObject({ value: { claim: { token: 'theirs' } } });
    });

    it('does not go back to before a list that was faster', async () => {
      await byAnother({ action: 'CREATE', record: claim('theirs') });
      await register.read(0, NEVER);
      release();
      await slow;
      expect(register.claim()).toMatchObject({ value: { claim: { token: 'theirs' } } });
    });
  });

  it('asks at once after it was told to forget', async () => {
    await register.read(0, NEVER);
    register.forget();
    await register.read(60_000, NEVER);
    expect(zone.calls()).toBe(2);
  });
});
