import { beforeEach, describe, expect, it } from 'vitest';
import { reason } from '../../../src/core/reason.ts';
import type { Context } from '../../../src/daemon/context.ts';
import type { Bench } from '../../fakes/bench.ts';
import { createBench } from '../../fakes/bench.ts';

let bench: Bench;
let context: Context;

beforeEach(() => {
  bench = createBench();
  ({ context } = bench.host(0));
});

const said = (): readonly string[] => context.state.events.map((it) => `${it.what} ${it.code}`);
const refused = (code = 'too-many-learners'): void => {
  context.chronicle.trouble('join', reason(code, 'etcd says not now'));
};

describe('trouble', () => {
  it('is said once, and again each minute while it lasts', async () => {
    for (let tick = 0; tick < 700; tick += 1) {
      refused();
      await bench.clock.advance(100);
    }
    expect(said()).toEqual(['join too-many-learners', 'join too-many-learners']);
    expect(bench.log).toHaveLength(2);
  });

  it('is said at once where it goes wrong in another way, or something else does', () => {
    refused();
    refused('unhealthy-cluster');
    context.chronicle.trouble('start-etcd', reason('unhealthy-cluster', 'test'));
    expect(said()).toHaveLength(3);
  });

  it('is said at once where its words are others, and not where its numbers are', () => {
    const ended = (words: string): void => {
      context.chronicle.trouble('etcd-ended', reason('etcd-ended', `etcd ended by ${words}`));
    };
    ended('SIGKILL');
    ended('code 1: no space left on device, 4096 bytes short');
    ended('code 2: no space left on device, 8192 bytes short');
    ended('SIGKILL');
    expect(context.state.events.map((it) => it.sentence)).toEqual([
      'etcd ended by SIGKILL',
      'etcd ended by code 1: no space left on device, 4096 bytes short',
    ]);
  });

  it('is news again once it was over', () => {
    refused();
    context.chronicle.event('join', reason('join', 'a learner'));
    refused();
    expect(said()).toEqual(['join too-many-learners', 'join join', 'join too-many-learners']);
  });
});
