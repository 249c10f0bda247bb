import { beforeEach, describe, expect, it } from 'vitest';
import type { BirthAnswer } from '../../../src/core/birth.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { awaitClaim } from '../../../src/daemon/await-claim.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { type Bench, createBench } from '../../fakes/bench.ts';

const NEVER = new AbortController().signal;
const NOTHING = { stack: 's', data: null, aside: [], mark: null, nonce: 'n', etcd: null, epoch: 0 };
const DATA = { token: 't', clusterId: 'c', formed: true };
type Word = Partial<BirthAnswer> | 'refuses' | 'silent';

let bench: Bench;
let asked: string[];
beforeEach(() => {
  bench = createBench(3);
  asked = [];
});

/** The third of three hosts, that hears this of the first and the second. */
function third(first: Word, second: Word): Context {
  const { context, ports } = bench.host(2);
  const words = new Map([
    [bench.host(0).self.address, { id: bench.host(0).self.id, word: first }],
    [bench.host(1).self.address, { id: bench.host(1).self.id, word: second }],
  ]);
  return createContext(context.options, {
    ...ports,
    peers: {
      ...ports.peers,
      askBirth: async (address, _hint, signal) => {
        asked.push(address);
        const { id, word } = words.get(address) ?? { id: '', word: 'refuses' };
        if (word === 'silent') await bench.clock.sleep(2_000, signal);
        if (word === 'refuses' || word === 'silent') return unknown('it does not answer');
        return known({ ...NOTHING, instanceId: id, ...word });
      },
    },
  });
}

/** For how long it waits; ms. */
async function waits(context: Context): Promise<number> {
  const began = bench.clock.now();
  await bench.soon(awaitClaim(context, NEVER));
  return bench.clock.now() - began;
}

describe('before the register is first read', () => {
  it.each([
    ['both hold nothing', {}, {}],
    ['the one to claim holds nothing, and another is not up yet', {}, 'refuses'],
  ] as const)('waits a turn for who claims: %s', async (_name, first, second) => {
    expect(await waits(third(first, second))).toBeGreaterThanOrEqual(1_000);
    expect(asked).toHaveLength(2);
  });

  it('waits no longer than for the hint', async () => {
    const context = third({}, {});
    bench.clock.after(300, () => context.lifeBell.ring());
    const waited = await waits(context);
    expect(waited).toBeGreaterThanOrEqual(300);
    expect(waited).toBeLessThan(500);
  });

  it.each([
    ['the one to claim is not up yet', 'refuses', {}],
    ['the one to claim holds data', { data: DATA }, {}],
    ['another holds data: there is a cluster to join', {}, { data: DATA }],
    ['another set data aside', {}, { aside: [DATA] }],
    ['another knows of a claim', {}, { epoch: 1 }],
  ] as const)('does not wait where %s', async (_name, first, second) => {
    expect(await waits(third(first, second))).toBeLessThan(200);
  });

  it('gives one of another region the time that an answer takes from there', async () => {
    bench.aws.add({
      ...bench.aws.fleet().instances.find((it) => it.id === 'i-01'),
      id: 'i-01',
      address: '10.0.0.1',
      region: 'us-east-1',
    });
    const waited = await waits(third('silent', {}));
    expect(waited).toBeGreaterThanOrEqual(800);
    expect(waited).toBeLessThan(1_000);
  });

  it('does not wait long for one that is gone', async () => {
    const waited = await waits(third('silent', { data: DATA }));
    expect(waited).toBeGreaterThanOrEqual(200);
    expect(waited).toBeLessThan(400);
  });

  it('does not wait where it is the one to claim, or alone, and asks nobody', async () => {
    const first = bench.host(0).context;
    expect(await waits(first)).toBeLessThan(200);
    bench = createBench(1);
    expect(await waits(bench.host(0).context)).toBeLessThan(200);
  });

  it('does not wait where the fleet is unknown', async () => {
    const { context, ports } = bench.host(2);
    const blind = { ...ports.fleet, observe: async () => await Promise.resolve(unknown('throttled')) };
    expect(await waits(createContext(context.options, { ...ports, fleet: blind }))).toBeLessThan(200);
  });
});
