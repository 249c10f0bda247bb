import { describe, expect, it } from 'vitest';
import { createFace } from '../../../src/app-face.ts';
import { createAppliance } from '../../../src/daemon/appliance.ts';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import { PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import { createMetrics } from '../../../src/http/metrics.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';

const PUBLISHED = { format: 1, by: 'i-1', at: 'now', claim: null, fleet: null, named: [], leaving: [] };

interface Place {
  /** Whether the own etcd leads. */
  readonly leads: boolean;
  /** Whether somebody else has the lock. */
  readonly held: boolean;
  readonly published: boolean;
}

/** A voter that does not keep house, and how often it looked at all three members, in a time. */
async function subject({ leads, held, published }: Place) {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(8_000);
  const leader = cluster.find(cluster.leader ?? '')?.name;
  const host = bench.hosts.find((it) => (it.self.id === leader) === leads);
  if (host === undefined) throw new Error('no such host');
  let asked = 0;
  const { admin } = host.ports;
  const status: typeof admin.status = async (...args) => {
    asked += 1;
    return await admin.status(...args);
  };
  const ports = { ...host.ports, admin: { ...admin, status } };
  const appliance = createAppliance(host.context.options, ports);
  const { state } = appliance.context;
  const metrics = createMetrics({ version: '0' });
  const face = createFace({ appliance, metrics, version: '0', cluster: 'c' });
  state.identity = voterIdentity(host, { clusterId: cluster.id });
  state.etcd = await ports.process.adopt(NEVER);
  state.ownStatus = await bench.soon(admin.status(host.url, NEVER));
  const put = async (key: string, value: string): Promise<unknown> =>
    await bench.soon(admin.put(host.url, key, value, {}, NEVER));
  if (held) await put(LOCK_KEY, 'i-another');
  if (published) await put(PUBLISHED_KEY, JSON.stringify(PUBLISHED));

  const loops = new AbortController();
  void createHousekeeper(appliance.context)
    .run(loops.signal)
    .catch(() => undefined);
  const looksOf = async (ms: number): Promise<number> => {
    asked = 0;
    await bench.clock.advance(ms);
    return asked / 3;
  };
  return { bench, face, looksOf, state, stop: () => loops.abort() };
}

// What a follower shows decides nothing: looking at it all the time was half of what an idle appliance did.
describe('who does not keep house', () => {
  it.each([
    ['while another does', { leads: false, held: true, published: true }, ' lock-not-mine '],
    ['before anything was published', { leads: false, held: true, published: false }, ' lock-not-mine '],
    ['while it asks for the lock', { leads: true, held: true, published: true }, ' lock-ask '],
    ['while nobody does, and AWS is silent', { leads: false, held: false, published: true }, ' lock-look '],
    ['the same, leading', { leads: true, held: false, published: true }, ' lock-look '],
  ])(
    'looks at all members when somebody watches, and twice a minute else: %s',
    async (_when, place, code) => {
      const { bench, face, looksOf, state, stop } = await subject(place);
      bench.aws.breakDown('AccessDenied');
      // Who leads takes the lock until it has found out that it is blind.
      if (!place.held) await bench.clock.advance(60_000);
      await looksOf(1_000);
      const looks = await looksOf(90_000);
      expect(
        ` ${[...state.plans.values()]
          .flat()
          .map((it) => it.code)
          .join(' ')} `,
      ).toContain(code);
      // A turn takes as long as its calls: the third may come a moment later.
      expect([2, 3]).toContain(looks);
      face.members();
      expect(await looksOf(8_000)).toBe(4);
      expect(await looksOf(60_000)).toBeLessThanOrEqual(4);
      stop();
      expect(face.members().members.map((it) => it.health)).toEqual(['healthy', 'healthy', 'healthy']);
    },
  );
});
