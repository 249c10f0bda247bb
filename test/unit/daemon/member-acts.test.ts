import { expect, it } from 'vitest';
import type { MemberAction } from '../../../src/core/plan-member.ts';
import { reason } from '../../../src/core/reason.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { act, noteFormed } from '../../../src/daemon/member-acts.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { runningEtcd, voterIdentity } from '../../fakes/bench-voter.ts';

const ETCD = runningEtcd('3.5.35');

it('shows a promotion that etcd refuses until it is made', async () => {
  const bench = createBench();
  const host = bench.host(0);
  let answer: Awaited<ReturnType<AdminPort['promote']>> = {
    ok: false,
    code: 'not-in-sync',
    message: 'it is behind',
  };
  const admin: AdminPort = { ...host.ports.admin, promote: async () => answer };
  const context = createContext(host.context.options, { ...host.ports, admin });
  const promotion: MemberAction = { kind: 'promote', memberId: 'a', reason: reason('promote', 'caught up') };
  const shown = (): readonly unknown[] => [...context.state.plans.values()].flat().map(({ code }) => code);
  await bench.soon(act(context, promotion, ETCD, voterIdentity(host), NEVER));
  expect(shown()).toEqual(['not-in-sync']);
  answer = { ok: true, value: null };
  await bench.soon(act(context, promotion, ETCD, voterIdentity(host), NEVER));
  expect(shown()).toEqual([]);
});

it('shows that an epoch is watched until it is formed', async () => {
  const bench = createBench();
  const host = bench.host(0);
  host.context.chronicle.plan('forming', [reason('own-data-forming', 'its epoch is forming')]);
  await bench.soon(noteFormed(host.context, voterIdentity(host, { formed: false }), NEVER));
  expect(host.context.state.plans.size).toBe(0);
});
