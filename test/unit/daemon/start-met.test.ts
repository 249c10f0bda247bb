import { beforeEach, expect, it } from 'vitest';
import type { BirthAnswer } from '../../../src/core/birth.ts';
import { known, unknown } from '../../../src/core/known.ts';
import type { Known } from '../../../src/core/known.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { decide } from '../../../src/daemon/starter.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';

/*
 * A person released the name, and one instance that is meant to carry a member holds nothing: it is born where nothing of the
 * fleet holds it up. AWS leaves instances out of an answer that is whole by all signs.
 */

let bench: Bench;
let host: Host;
let other: Host;
/** What the other's appliance says of itself. */
let word: Known<BirthAnswer>;
let context: Context;

const NOTHING: BirthAnswer = {
  instanceId: 'i-02',
  stack: 'etcd-cluster-main',
  data: null,
  aside: [],
  mark: null,
  nonce: null,
  etcd: null,
  epoch: 0,
};
const DATA = { token: 'a token', clusterId: 'feed', formed: true };

beforeEach(() => {
  bench = createBench(2);
  [host, other] = [bench.host(0), bench.host(1)];
  word = unknown('nothing listens');
  const peers = { ...host.ports.peers, askBirth: () => Promise.resolve(word) };
  context = createContext(host.context.options, { ...host.ports, peers });
});

async function plan(): Promise<string> {
  const clocks = { waitedMs: 0, standing: { code: '', forMs: 0 } };
  const mode = { afterCrash: false, damagedStarts: 0 };
  await bench.clock.advance(10_000);
  const { action } = await bench.soon(decide(context, mode, clocks, NEVER));
  return action.reason.code;
}

/** AWS goes on without the other: another is desired in its place by nobody. */
function leaveOut(): void {
  bench.aws.unlist(other.self.id, 'running');
  bench.aws.setDesired(1);
}

/** The other's group ends it, and its etcd runs yet. */
async function otherRuns(): Promise<void> {
  await bench.form();
  bench.etcd.kill(host.self.address);
  host.disk.etcd = null;
  bench.aws.set(other.self.id, { lifecycle: 'Terminating:Wait' });
  bench.aws.setDesired(1);
}

it('is not born beside an etcd that answered it before, until that answers no more', async () => {
  await otherRuns();
  expect(await plan()).toBe('etcd-without-quorum');
  leaveOut();
  expect(await plan()).toBe('etcd-without-quorum');
  bench.etcd.kill(other.self.address);
  expect(await plan()).toBe('birth');
});

it('is born where another etcd has the address of one that it met', async () => {
  await otherRuns();
  expect(await plan()).toBe('etcd-without-quorum');
  leaveOut();
  const { probe } = context.ports;
  const stranger = { kind: 'answers', clusterId: 'beef', memberId: null } as const;
  context = {
    ...context,
    ports: { ...context.ports, probe: { ...probe, probe: () => Promise.resolve(stranger) } },
  };
  expect(await plan()).toBe('birth');
});

it('is born where AWS never showed the one whose etcd runs: that may be any etcd', async () => {
  await otherRuns();
  leaveOut();
  expect(await plan()).toBe('birth');
});

it('is not born without one that said it holds data, as long as that says so', async () => {
  word = known({ ...NOTHING, data: DATA });
  expect(await plan()).toBe('instance-holds-data');
  leaveOut();
  expect(await plan()).toBe('instance-holds-data');
  word = known({ ...NOTHING });
  expect(await plan()).toBe('birth');
});

it('asks on one that was silent for once', async () => {
  const holding = known({ ...NOTHING, mark: { token: 'a token', started: true } });
  word = holding;
  expect(await plan()).toBe('instance-holds-data');
  leaveOut();
  word = unknown('no answer');
  expect(await plan()).toBe('birth');
  word = holding;
  expect(await plan()).toBe('instance-holds-data');
});

it('does not take the word of another at that address', async () => {
  word = known({ ...NOTHING, data: DATA });
  expect(await plan()).toBe('instance-holds-data');
  leaveOut();
  word = known({ ...NOTHING, instanceId: 'i-09', data: DATA });
  expect(await plan()).toBe('birth');
});
