import { clientUrl } from '../src/etcd/flags.ts';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { votersOf } from '../src/core/members.ts';
import { form } from './appliance.ts';
import { writeBig } from './big-data.ts';
import { answers200, createGroup, type Group, ready, roles, running, type Start } from './group.ts';
import { type Life, onlyOf } from './measures.ts';
import { until } from './wait.ts';

/** A cluster of three with 1 GiB of data, of which a follower is terminated: how soon its successor has its place. */
export async function liveBig(binary: EtcdBinary, signal: AbortSignal): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const group = await createGroup(binary, 3, stack, signal);
  await form(group);
  const { sandbox, admin, recorder, starts } = group;
  const { leader } = await roles(group);
  await writeBig(admin, [clientUrl(leader.address)], group.signal);
  await ready(group);
  const { followers } = await roles(group);
  const endedMs = performance.now();
  sandbox.cloud.terminateInstance(followers[0].instanceId);
  await until(
    'a successor',
    endedMs,
    async () => Promise.resolve(starts.since(endedMs).length > 0 ? [] : ['none is started']),
    group.signal,
  );
  const successor = starts.since(endedMs)[0];
  if (successor === undefined) throw new Error('no successor was started');
  const [voterMs, portMs, readyMs] = await Promise.all([
    untilVoter(group, successor),
    untilPort(group, successor),
    untilReady(group, successor),
  ]);
  recorder.record('big.voter', voterMs);
  recorder.record('big.port', portMs);
  recorder.record('big.ready', readyMs);
  recorder.record('big.settled', readyMs - Math.max(voterMs, portMs));
  return onlyOf('big', recorder);
}

async function untilVoter({ sandbox, admin, signal }: Group, successor: Start): Promise<number> {
  return await until(
    'the successor is a voter',
    successor.startedMs,
    async () => {
      const others = running(sandbox).filter(({ instanceId }) => instanceId !== successor.instanceId);
      const endpoint = clientUrl(others[0]?.address ?? '');
      const list = await admin.memberList(endpoint, { linearizable: false }, signal);
      if (!list.known) return [list.reason];
      const voters = votersOf(list.value.members).map(({ name }) => name);
      return voters.includes(successor.instanceId) ? [] : [`the voters are ${voters.join()}`];
    },
    signal,
  );
}

async function untilPort({ admin, signal }: Group, { address, startedMs }: Start): Promise<number> {
  return await until(
    "the successor's etcd answers",
    startedMs,
    async () => {
      const status = await admin.status(clientUrl(address), signal);
      return status.known ? [] : [status.reason];
    },
    signal,
  );
}

async function untilReady({ signal }: Group, { address, startedMs }: Start): Promise<number> {
  return await until(
    'the successor is ready',
    startedMs,
    async () => ((await answers200(address, 'readyz')) ? [] : ['not yet']),
    signal,
  );
}
