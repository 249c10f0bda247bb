import { expect, it } from 'vitest';
import { planMember } from '../../../src/core/plan-member.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { namesOf } from '../../../src/core/names.ts';
import { watchMember } from '../../../src/daemon/member.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';

void planMember;

// IAM (or a policy) denies ChangeResourceRecordSets and allows the list.
it('promotes a learner within three minutes though the claim can be read and not written, and spares Route 53', async () => {
  const bench = createBench(2);
  const [first, second] = [bench.host(0), bench.host(1)];
  const start = await first.ports.process.start(
    { version: '3.5.35', name: first.self.id, address: first.self.address,
      initial: { state: 'new', cluster: [{ name: first.self.id, peerUrl: `http://${first.self.address}:2380` }], token: TOKEN } },
    NEVER,
  );
  expect(start.known).toBe(true);
  await bench.clock.advance(10_000);
  const cluster = [...bench.etcd.clusters.values()][0];
  if (cluster === undefined) throw new Error('none');
  const claim = formedClaim(
    foundingClaim({ stack: first.self.stack, token: TOKEN, groups: [], founders: [], before: null }),
    cluster.id,
    cluster.members.map((it) => ({ memberId: it.id, instanceId: it.name, region: 'eu-central-1', address: first.self.address })),
  );
  await first.ports.zone.change([{ action: 'CREATE', record: claimRecord(namesOf(NAME).claim, claim) }], NEVER);
  const added = await bench.soon(first.ports.admin.addLearner(first.url, `http://${second.self.address}:2380`, NEVER));
  if (!added.ok) throw new Error(added.message);
  const run = await bench.soon(second.ports.process.start(
    { version: '3.5.35', name: second.self.id, address: second.self.address,
      initial: { state: 'existing', cluster: [
        { name: first.self.id, peerUrl: `http://${first.self.address}:2380` },
        { name: second.self.id, peerUrl: `http://${second.self.address}:2380` }], token: TOKEN } }, NEVER));
  if (!run.known) throw new Error(run.reason);
  let lists = 0;
  let changes = 0;
  const { zone } = second.ports;
  const ports = { ...second.ports, zone: { ...zone,
    list: async (signal: AbortSignal) => { lists += 1; await bench.clock.sleep(60, signal); return await zone.list(signal); },
    change: async (_: unknown, signal: AbortSignal) => { changes += 1; await bench.clock.sleep(60, signal); return { kind: 'busy' as const, message: 'AccessDenied' }; } } };
  const context = createContext(second.context.options, ports);
  context.state.identity = { format: 1, instanceId: second.self.id, token: TOKEN, epoch: 1, clusterId: cluster.id,
    memberId: added.value.memberId, formed: true, version: '3.5.35', register: zone.register };
  const loops = new AbortController();
  void watchMember(context, run.value, loops.signal).catch(() => undefined);
  await bench.clock.advance(180_000);
  loops.abort();
  const perSecond = (lists + changes) / 180;
  expect({ promoted: cluster.find(added.value.memberId)?.learner === false, tooMany: perSecond > 1 ? perSecond : false })
    .toEqual({ promoted: true, tooMany: false });
});
