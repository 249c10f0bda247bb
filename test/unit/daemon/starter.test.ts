import { beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../../../src/daemon/context.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import { startEtcd } from '../../../src/daemon/starter.ts';
import { ApplianceError } from '../../../src/errors.ts';
import { type Bench, createBench, type Host } from '../../fakes/bench.ts';
import { createEtcdFiles } from '../../fakes/etcd/files.ts';

const CALM = { afterCrash: false, damagedStarts: 0 };
let bench: Bench;
let host: Host;
/** What was done, in its order; the start ends with its first look at the register. */
let steps: string[];

beforeEach(() => {
  bench = createBench(1);
  [host] = bench.hosts;
  steps = [];
});

async function begin(writeMark?: Ports['data']['writeMark']): Promise<void> {
  const end = new AbortController();
  const { data, zone } = host.ports;
  const context = createContext(host.context.options, {
    ...host.ports,
    data: {
      ...data,
      writeMark: async (mark, signal) => {
        await (writeMark ?? data.writeMark)(mark, signal);
        steps.push(`mark ${mark?.token ?? 'of no epoch'}`);
      },
    },
    zone: {
      ...zone,
      list: async (signal) => {
        steps.push('list');
        end.abort(new Error('seen enough'));
        signal.throwIfAborted();
        return await zone.list(signal);
      },
    },
  });
  await expect(bench.soon(startEtcd(context, CALM, end.signal))).rejects.toThrow('seen enough');
}

describe('a start', () => {
  it('without data flushes a nonce to offer before it asks anybody anything', async () => {
    await begin();
    expect(steps).toEqual(['mark of no epoch', 'list']);
    expect(host.disk.mark).toMatchObject({ token: null, started: false });
  });

  it.each([
    { token: null, nonce: 'n', started: false },
    { token: 't', nonce: 'n', started: true },
  ])('keeps the mark that is there: %o', async (mark) => {
    host.disk.mark = mark;
    await begin();
    expect(steps).toEqual(['list']);
    expect(host.disk.mark).toEqual(mark);
  });

  it('with data offers nothing', async () => {
    host.disk.etcd = createEtcdFiles('c', 'm');
    await begin();
    expect(steps).toEqual(['list']);
  });

  it('goes on without a nonce where the disk takes none', async () => {
    await begin(async () => {
      throw new ApplianceError({ code: 'cannot-write', path: '/data' }, 'cannot write to /data: ENOSPC');
    });
    expect(steps).toEqual(['list']);
  });
});
