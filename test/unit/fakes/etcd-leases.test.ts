import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { createEtcdLab, type EtcdLab } from '../../fakes/etcd/lab.ts';

const NEVER = new AbortController().signal;
const TTL_MS = 5_000;
/** The leader looks every half second. */
const OVER_MS = TTL_MS + 600;

let lab: EtcdLab;
let cluster: EtcdCluster;
let lease: string;

beforeEach(async () => {
  lab = createEtcdLab(3);
  cluster = await lab.found(3);
  cluster.lead(lab.node(0).files.memberId);
  lease = await must(lab.admin.grantLease(lab.host(1).endpoint, TTL_MS / 1_000, NEVER));
  const made = await must(lab.admin.createKey(lab.host(1).endpoint, 'lock', 'i-1', lease, NEVER));
  expect(made).not.toBe(null);
});

async function must<T>(
  work: Promise<{ known: true; value: T } | { known: false; reason: string }>,
): Promise<T> {
  const answer = await lab.soon(work);
  if (!answer.known) throw new Error(answer.reason);
  return answer.value;
}

const holder = (): string | null => cluster.read('lock')?.value ?? null;
const renew = (via: number) => lab.soon(lab.admin.keepAlive(lab.host(via).endpoint, lease, NEVER));

describe('a lease', () => {
  it('ends, and its keys with it, where nobody renews it', async () => {
    await lab.clock.advance(TTL_MS - 500);
    expect(holder()).toBe('i-1');
    await lab.clock.advance(1_100);
    expect(holder()).toBe(null);
    expect(await renew(1)).toEqual({ known: true, value: false });
  });

  it('stands while it is renewed, through any member', async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      await lab.clock.advance(3_000);
      expect(await renew(turn % 3)).toEqual({ known: true, value: true });
    }
    expect(holder()).toBe('i-1');
  });

  it('gets its whole time again from a new leader', async () => {
    await lab.clock.advance(TTL_MS - 1_000);
    lab.etcd.kill(lab.host(0).address);
    await lab.clock.until(() => cluster.leader !== null, 5_000);
    await lab.clock.advance(TTL_MS - 100);
    expect(holder()).toBe('i-1');
    await lab.clock.advance(2_500);
    expect(holder()).toBe(null);
  });

  it('ends for nobody while there is no leader', async () => {
    lab.etcd.kill(lab.host(1).address);
    lab.etcd.kill(lab.host(2).address);
    await lab.clock.advance(4 * TTL_MS);
    expect(holder()).toBe('i-1');
    expect(await renew(0)).toMatchObject({ known: false });
  });

  it('that is over is another one`s lock, though its holder was only frozen', async () => {
    await lab.clock.advance(OVER_MS);
    const other = await must(lab.admin.grantLease(lab.host(2).endpoint, 5, NEVER));
    const taken = await must(lab.admin.createKey(lab.host(2).endpoint, 'lock', 'i-2', other, NEVER));
    expect(taken).not.toBe(null);
    const late = await lab.soon(lab.admin.createKey(lab.host(1).endpoint, 'x', 'i-1', lease, NEVER));
    expect(late).toMatchObject({ known: false, reason: expect.stringContaining('lease not found') });
  });

  it('is revoked once', async () => {
    const revoke = () => must(lab.admin.revokeLease(lab.host(1).endpoint, lease, NEVER));
    expect([await revoke(), await revoke()]).toEqual([true, false]);
    expect(holder()).toBe(null);
  });
});

describe('a fence', () => {
  it('breaks when the key it names is another one', async () => {
    const createRevision = cluster.read('lock')?.createRevision ?? '';
    const fence = { key: 'lock', createRevision };
    const put = (value: string) => must(lab.admin.put(lab.host(2).endpoint, 'x', value, { fence }, NEVER));
    expect(await put('mine')).toBe(true);
    await lab.clock.advance(OVER_MS);
    expect(await put('late')).toBe(false);
    expect(cluster.read('x')?.value).toBe('mine');
  });
});

describe('a call to a frozen member', () => {
  it('is answered when it thaws in time, and else may still be done, and nobody hears of it', async () => {
    const done = new Set<boolean>();
    for (let turn = 0; turn < 30; turn += 1) {
      const { address, endpoint } = lab.host(1);
      lab.etcd.freeze(address, true);
      const put = lab.soon(lab.admin.put(endpoint, `late/${turn}`, 'v', {}, NEVER));
      expect(await put).toMatchObject({ known: false });
      lab.etcd.freeze(address, false);
      await lab.clock.advance(1_000);
      done.add(cluster.read(`late/${turn}`) !== null);
    }
    expect([...done].sort()).toEqual([false, true]);
    lab.etcd.freeze(lab.host(1).address, true);
    const put = lab.admin.put(lab.host(1).endpoint, 'soon', 'v', {}, NEVER);
    await lab.clock.advance(500);
    lab.etcd.freeze(lab.host(1).address, false);
    expect(await lab.soon(put)).toEqual({ known: true, value: true });
  });
});
