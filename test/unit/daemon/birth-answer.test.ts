import { describe, expect, it } from 'vitest';
import type { LocalMark } from '../../../src/core/local-data.ts';
import { answerBirth } from '../../../src/daemon/birth-answer.ts';
import { createBench } from '../../fakes/bench.ts';
import { createEtcdFiles } from '../../fakes/etcd/files.ts';

const NEVER = new AbortController().signal;
const HINT = { epoch: 0, from: null };

async function answerWith(mark: LocalMark | null, hasData = false) {
  const [host] = createBench(1).hosts;
  host.disk.mark = mark;
  host.disk.etcd = hasData ? createEtcdFiles('c', 'm') : null;
  return await answerBirth(host.context, HINT, NEVER);
}

describe('/birth', () => {
  it('offers the nonce of a mark of no epoch yet, and says that there is no mark', async () => {
    expect(await answerWith({ token: null, nonce: 'n', started: false })).toMatchObject({
      instanceId: 'i-01',
      data: null,
      mark: null,
      nonce: 'n',
    });
  });

  it('offers the nonce of a mark whose epoch it never started under', async () => {
    expect(await answerWith({ token: 't', nonce: 'n', started: false })).toMatchObject({
      mark: { token: 't', started: false },
      nonce: 'n',
    });
  });

  it('never offers a nonce that etcd was started under', async () => {
    expect(await answerWith({ token: 't', nonce: 'n', started: true })).toMatchObject({
      mark: { token: 't', started: true },
      nonce: null,
    });
  });

  it('makes a nonce where the start has not come to it yet, and tells what is flushed', async () => {
    const [host] = createBench(1).hosts;
    const { nonce } = await answerBirth(host.context, HINT, NEVER);
    expect(nonce).toMatch(/./);
    expect(host.disk.mark).toEqual({ token: null, nonce, started: false });
    expect((await answerBirth(host.context, HINT, NEVER)).nonce).toBe(nonce);
  });

  it('makes none once the start has had its say: what the start wrote stands', async () => {
    const [host] = createBench(1).hosts;
    await host.context.nonceOffer.make(NEVER);
    host.disk.mark = null;
    expect((await answerBirth(host.context, HINT, NEVER)).nonce).toBe(null);
    expect(host.disk.mark).toBe(null);
  });

  it('offers nothing with data', async () => {
    expect(await answerWith(null, true)).toMatchObject({ mark: null, nonce: null });
    expect(await answerWith({ token: null, nonce: 'n', started: false }, true)).toMatchObject({
      data: { formed: true },
      nonce: null,
    });
  });
});
