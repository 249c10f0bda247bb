import { expect, it } from 'vitest';
import { claimRecord, foundingClaim } from '../../../src/core/claim.ts';
import { refused } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';

const refuses = () => Promise.resolve(refused('authentication is on'));
const LISTS = { read: refuses, memberList: refuses, readPrefix: refuses };

/** A lone founder that serves, and could not write that it is formed before somebody switched authentication on. */
async function founderWith(admin: Partial<AdminPort>) {
  const bench = createBench(1);
  const host = bench.host(0);
  const { self } = host;
  const cluster = await bench.form();
  const founders = [{ instanceId: self.id, region: self.region, address: self.address }];
  const [{ arn } = { arn: '' }] = bench.aws.fleet().groups;
  const claim = foundingClaim({ stack: self.stack, token: TOKEN, groups: [arn], founders, before: null });
  const record = claimRecord(namesOf(NAME).claim, claim);
  await host.ports.zone.change([{ action: 'CREATE', record }], NEVER);
  const identity = { clusterId: cluster.id, memberId: cluster.members[0]?.id ?? null, formed: false };
  await host.ports.data.writeIdentity(voterIdentity(host, identity), NEVER);
  const ports = { ...host.ports, admin: { ...host.ports.admin, ...admin } };
  const context = createContext(host.context.options, ports);
  const loops = new AbortController();
  void live(context, loops.signal).catch(() => undefined);
  await bench.clock.advance(1_800_000);
  loops.abort();
  const records = await host.ports.zone.list(NEVER);
  return { records, record, codes: context.state.plans.get('member')?.map((it) => it.code) };
}

// 3.4 tells its status to everybody, later ones to nobody.
it.each([
  ['nothing', { ...LISTS, status: refuses }],
  ['its status alone', LISTS],
])(
  'replaces no claim, however long it forms, where the own etcd tells %s for authentication',
  async (_what, admin) => {
    const { records, record, codes } = await founderWith(admin);
    expect(codes).toEqual(['member-refused']);
    expect(records).toEqual({ known: true, value: [record] });
  },
);
