import { beforeEach, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { MemberStatus } from '../../../src/core/members.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import { createUnlockedRight } from '../../../src/daemon/unlocked.ts';
import { type Bench, createBench, NEVER } from '../../fakes/bench.ts';

const FULL = { errors: ['memberID:1 alarm:NOSPACE '] };

let bench: Bench;
let leading: MemberStatus;

beforeEach(async () => {
  bench = createBench(1);
  await bench.form();
  await bench.clock.advance(5_000);
  const host = bench.host(0);
  const status = await bench.soon(host.ports.admin.status(host.url, NEVER));
  if (!status.known) throw new Error(status.reason);
  leading = status.value;
});

it.each([
  { name: 'it leads, is out of space, and nobody holds the lock', differs: FULL, holder: null, may: true },
  { name: 'another leads', differs: { ...FULL, leader: 'another' }, holder: null, may: false },
  { name: 'somebody holds the lock', differs: FULL, holder: 'i-2', may: false },
  // An operator made room while this machine was paused: there is a lock to be had again.
  { name: 'it has room by now', differs: {}, holder: null, may: false },
])('the right to keep house without a lock: $name', async ({ differs, holder, may }) => {
  const { ports, context } = bench.host(0);
  const right = createUnlockedRight(
    createContext(context.options, {
      ...ports,
      admin: {
        ...ports.admin,
        read: async () =>
          await Promise.resolve(
            known(
              holder === null
                ? null
                : { key: LOCK_KEY, value: holder, createRevision: '1', modRevision: '1' },
            ),
          ),
        status: async () => await Promise.resolve(known({ ...leading, ...differs })),
      },
    }),
  );
  expect(await right.guard(NEVER)).toBe(may);
});

it("is nobody's whose etcd does not say", async () => {
  const { ports, context } = bench.host(0);
  const silent = { ...ports.admin, read: async () => await Promise.resolve(unknown('it is silent')) };
  const right = createUnlockedRight(createContext(context.options, { ...ports, admin: silent }));
  expect(await right.guard(NEVER)).toBe(false);
});
