import { beforeEach, describe, expect, it } from 'vitest';
import { refused, unknown } from '../../../src/core/known.ts';
import { askQuorum } from '../../../src/daemon/quorum.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import type { Bench } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

let bench: Bench;
let cluster: EtcdCluster;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
});

const urls = (): readonly string[] => bench.hosts.map((it) => it.url);
const wanted = (more: object = {}) => ({ clusterId: null, preferred: null, limitMs: null, ...more });
const ask = (endpoints: readonly string[], more: object = {}) =>
  bench.soon(askQuorum(bench.host(0).ports, endpoints, wanted(more), NEVER));

describe('asking for a quorum', () => {
  it('gets the linearizable member list of whoever answers', async () => {
    const answer = await ask(urls());
    expect(answer).toMatchObject({ kind: 'answers', list: { clusterId: cluster.id } });
    expect(answer.kind === 'answers' && answer.list.members).toHaveLength(3);
  });

  it('asks nobody where there is nobody', async () => {
    expect(await ask([])).toEqual({ kind: 'nobody', foreign: [], refused: [] });
  });

  it('takes an answer from memory for none: without a quorum nobody answers', async () => {
    bench.etcd.kill('10.0.0.1');
    bench.etcd.kill('10.0.0.2');
    expect(await ask(urls())).toEqual({ kind: 'nobody', foreign: [], refused: [] });
  });

  it('does not wait for a frozen member where another answers', async () => {
    const frozen = cluster.members.find((it) => it.id !== cluster.leader)?.name;
    const host = bench.hosts.find((it) => it.self.id === frozen);
    bench.etcd.freeze(host?.self.address ?? '', true);
    const began = bench.clock.now();
    expect((await ask(urls())).kind).toBe('answers');
    expect(bench.clock.now() - began).toBeLessThan(100);
  });

  it('gives up after the limit', async () => {
    for (const { self } of bench.hosts) bench.etcd.freeze(self.address, true);
    const began = bench.clock.now();
    expect((await ask(urls(), { limitMs: 300 })).kind).toBe('nobody');
    expect(bench.clock.now() - began).toBe(300);
  });

  it('names a cluster that answers though another is wanted, and does not take its word', async () => {
    expect(await ask(urls(), { clusterId: 'feed' })).toEqual({
      kind: 'nobody',
      foreign: [cluster.id],
      refused: [],
    });
  });

  it('takes another cluster than the preferred one only where that does not answer', async () => {
    expect(await ask(urls(), { preferred: 'feed' })).toMatchObject({
      kind: 'answers',
      list: { clusterId: cluster.id },
    });
  });

  it('names who lets nobody in, in the order of the endpoints, beside those that are silent and foreign', async () => {
    const { ports } = bench.host(0);
    const [first, second, third] = urls();
    const read: typeof ports.admin.read = async (endpoint, ...more) => {
      if (endpoint === third) return await ports.admin.read(endpoint, ...more);
      await bench.clock.sleep(endpoint === first ? 20 : 10, NEVER);
      return endpoint === 'http://10.0.0.9:2379' ? unknown('it is away') : refused(`${endpoint} refuses`);
    };
    const endpoints = [...urls(), 'http://10.0.0.9:2379'];
    const asking = askQuorum(
      { ...ports, admin: { ...ports.admin, read } },
      endpoints,
      wanted({ clusterId: 'feed' }),
      NEVER,
    );
    expect(await bench.soon(asking)).toEqual({
      kind: 'nobody',
      foreign: [cluster.id],
      refused: [first, second].map((endpoint) => ({ endpoint, reason: `${endpoint} refuses` })),
    });
  });

  it('takes the answer of one that lets it in, though another does not', async () => {
    const { ports } = bench.host(0);
    const [first] = urls();
    const read: typeof ports.admin.read = async (endpoint, ...more) =>
      endpoint === first ? refused('no user') : await ports.admin.read(endpoint, ...more);
    const asking = askQuorum({ ...ports, admin: { ...ports.admin, read } }, urls(), wanted(), NEVER);
    expect(await bench.soon(asking)).toMatchObject({ kind: 'answers', list: { clusterId: cluster.id } });
  });

  it('ends with its caller', async () => {
    for (const { self } of bench.hosts) bench.etcd.freeze(self.address, true);
    const stop = new AbortController();
    const asking = askQuorum(bench.host(0).ports, urls(), wanted(), stop.signal);
    const failing = expect(asking).rejects.toThrow('over');
    await bench.clock.advance(5);
    stop.abort(new Error('over'));
    await bench.clock.advance(3_000);
    await failing;
  });
});
