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
import type { VirtualClock } from '../../fakes/virtual-clock.ts';
import { createVirtualClock } from '../../fakes/virtual-clock.ts';

let clock: VirtualClock;
let zone: FakeZone;
let register: Register;

beforeEach(() => {
  clock = createVirtualClock();
  zone = createFakeZone('example.org');
  register = createRegister({ zone: zone.port(NAME), clock }, NAME);
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
    expect(register.claim().known).toBe(false);
    expect(zone.calls()).toBe(0);
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

  it('does not ask a failing Route 53 again within a second, and does after it', async () => {
    zone.breakDown('no answer');
    await register.read(0, NEVER);
    await clock.advance(999);
    await register.read(0, NEVER);
    expect(zone.calls()).toBe(1);
    await clock.advance(1);
    await register.read(0, NEVER);
    expect(zone.calls()).toBe(2);
  });

  it('counts silence from the first failure on, until a read or a write succeeds', async () => {
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
    expect(register.silentMs()).toBe(0);
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

  it('asks at once after it was told to forget', async () => {
    await register.read(0, NEVER);
    register.forget();
    await register.read(60_000, NEVER);
    expect(zone.calls()).toBe(2);
  });
});
