import { describe, expect, it } from 'vitest';
import { minorAbove, minorOf } from '../../src/core/versions.ts';
import { calm } from '../etcd-lab.ts';
import { createSeededRandom, type SeededRandom } from '../fakes/seeded-random.ts';
import { etcdBinary, TESTED_MINORS } from '../tools.ts';
import { type EtcdSubject, modelSubject, realSubject } from '../contract/etcd/subject.ts';

/*
 * What the simulator's etcd makes of versions is held to the real one: members are swapped from one version to the next and
 * back, join, and are told to go down; each time who lives, and what they say of versions, has to be the same.
 * ETCD_CONTRACT_SEED: the sequence's seed.
 */

const SEED = Number(process.env['ETCD_CONTRACT_SEED'] ?? Date.now() % 1_000_000);
const OPERATIONS = Number(process.env['ETCD_CONTRACT_OPERATIONS'] ?? 5);
const FOUNDERS = [0, 1, 2];
const JOINER = 3;
/** Etcd looks at versions every 4 to 5 s, and at the end of a downgrade as often again. */
const SETTLE_MS = 11_000;
const SERVING_MS = 20_000;

type Operation =
  | { readonly kind: 'swap'; readonly slot: number; readonly version: string }
  | { readonly kind: 'join'; readonly version: string }
  | { readonly kind: 'validate' | 'enable' | 'cancel'; readonly target: string };

interface Standing {
  /** Versions that the slots run; null: none. */
  readonly runs: (string | null)[];
  joined: boolean;
  exact: ReadonlyMap<string, string>;
}

/** Who lives may be swapped by one minor; now and then by two, or to what it runs. */
function drawOperation(random: SeededRandom, { runs, joined, exact }: Standing): Operation {
  const live = FOUNDERS.filter((it) => runs[it] != null);
  const least = runs.flatMap((it) => it ?? []).sort()[0] ?? '';
  const near = (version: string, by: number): string => exact.get(minorAbove(version, by)) ?? version;
  // What 3.6 does to 3.4 is shown in test/upgrade-lab, and takes the majority.
  const kills = (version: string): boolean => minorOf(least) === '3.4' && version >= '3.6';
  const target = minorAbove(least, -random.int(0, 2));
  const draws: Operation[] = FOUNDERS.flatMap((slot): readonly Operation[] => {
    const version = runs[slot];
    // Who is down comes back as what lives.
    if (version == null) return [{ kind: 'swap', slot, version: least }];
    return [1, 1, -1].flatMap((by): readonly Operation[] =>
      kills(near(version, by)) ? [] : [{ kind: 'swap', slot, version: near(version, by) }],
    );
  });
  // 3.5 begins a downgrade and does not answer; nobody asks it.
  if (viaFor(runs) !== null)
    draws.push({ kind: random.pick(['validate', 'enable', 'enable', 'cancel']), target });
  if (!joined && live.length === FOUNDERS.length)
    draws.push({ kind: 'join', version: near(least, random.int(-1, 1)) });
  return random.pick([draws[0] ?? { kind: 'cancel', target }, ...draws.slice(1)]);
}

/** Whom a downgrade is asked of. */
function viaFor(runs: readonly (string | null)[]): number | null {
  return FOUNDERS.find((it) => (runs[it] ?? '') >= '3.6') ?? null;
}

/** One subject and what is done to it. */
function createPlayer(subject: EtcdSubject, standing: Standing) {
  const { admin, slots } = subject;
  const { runs } = standing;
  const endpoint = (slot: number): string => slots[slot]?.endpoint ?? '';
  const serves = async (slot: number): Promise<boolean> => (await admin.status(endpoint(slot), calm)).known;
  const fate = async (slot: number): Promise<string> => {
    const until = subject.now() + SERVING_MS;
    while (subject.now() < until && subject.exitOf(slot) === null && !(await serves(slot)))
      await subject.pass(100);
    await subject.pass(500);
    const exit = subject.exitOf(slot);
    if (exit !== null) return `ended ${exit.code}`;
    return (await serves(slot)) ? 'serves' : 'runs';
  };
  /** As who steps does before its etcd is stopped: an idle 3.4 takes members for removed (test/upgrade-lab/idle.test.ts). */
  const write = async (slot: number): Promise<void> => {
    const until = subject.now() + SERVING_MS;
    while (subject.now() < until && !(await admin.put(endpoint(slot), 'step', 'v', {}, calm)).known)
      await subject.pass(100);
  };
  const words = (slotsOf: readonly number[]) =>
    slotsOf.map((slot) => ({ name: slots[slot]?.name ?? '', peerUrl: slots[slot]?.peerUrl ?? '' }));
  const act = async (operation: Operation): Promise<string> => {
    const via = FOUNDERS.find((it) => runs[it] != null) ?? 0;
    if (operation.kind === 'swap') {
      if (minorOf(runs[operation.slot] ?? '') === '3.4') await write(operation.slot);
      await subject.end(operation.slot, 'SIGTERM');
      await subject.start(operation.slot, null, operation.version);
      runs[operation.slot] = operation.version;
      return await fate(operation.slot);
    }
    if (operation.kind === 'join') {
      standing.joined = true;
      const added = await admin.addLearner(endpoint(via), slots[JOINER]?.peerUrl ?? '', calm);
      if (!added.ok) return added.code;
      const cluster = words([...FOUNDERS, JOINER]);
      await subject.start(JOINER, { state: 'existing', cluster, token: 'versions' }, operation.version);
      runs[JOINER] = operation.version;
      return await fate(JOINER);
    }
    const asked = endpoint(viaFor(runs) ?? via);
    const outcome = await admin.downgrade(asked, operation.kind, operation.target, calm);
    return outcome.ok ? 'ok' : outcome.code;
  };
  const look = async (): Promise<string> => {
    await subject.pass(SETTLE_MS);
    const told: string[] = [];
    for (const slot of slots.keys()) {
      const exit = subject.exitOf(slot);
      if (exit !== null) runs[slot] = null;
      if (runs[slot] == null) {
        told.push(exit === null ? '-' : `ended ${exit.code}`);
        continue;
      }
      const versions = await admin.versions(endpoint(slot), calm);
      told.push(
        versions.known
          ? Object.values(versions.value)
              .map((it) => it ?? '-')
              .join(' ')
          : 'silent',
      );
    }
    return told.join(' | ');
  };
  return {
    async found(version: string): Promise<string> {
      const initial = { state: 'new', cluster: words(FOUNDERS), token: 'versions' } as const;
      await Promise.all(FOUNDERS.map(async (slot) => await subject.start(slot, initial)));
      for (const slot of FOUNDERS) {
        runs[slot] = version;
        await fate(slot);
      }
      return await look();
    },
    perform: async (operation: Operation) => `${await act(operation)} | ${await look()}`,
    hasMajority: () => FOUNDERS.filter((it) => runs[it] != null).length >= 2,
  };
}

const tell = (operation: Operation, said: string): string => `${Object.values(operation).join(' ')}: ${said}`;

/** The next operation, from what is known; null: it is over. */
type Script = (standing: Standing, done: number) => Operation | null;

/** Has real etcd act a script, then the model the same, and compares what they said. */
async function compare(minor: string, scriptOf: (exact: Standing['exact']) => Script): Promise<void> {
  const binaries = await Promise.all(TESTED_MINORS.map(async (it) => (await etcdBinary(it)).version));
  const exact = new Map(binaries.map((it) => [minorOf(it), it]));
  const version = exact.get(minor) ?? '';
  const standing = (): Standing => ({ runs: [null, null, null, null], joined: false, exact });
  const script = scriptOf(exact);
  const operations: Operation[] = [];
  const real: string[] = [];
  {
    await using subject = await realSubject(4, minor);
    const known = standing();
    const player = createPlayer(subject, known);
    real.push(`born: ${await player.found(version)}`);
    while (player.hasMajority()) {
      const operation = script(known, operations.length);
      if (operation === null) break;
      operations.push(operation);
      real.push(tell(operation, await player.perform(operation)));
    }
  }
  await using subject = modelSubject(4, SEED, version);
  const player = createPlayer(subject, standing());
  const model = [`born: ${await player.found(version)}`];
  for (const operation of operations) model.push(tell(operation, await player.perform(operation)));
  const differs = real.findIndex((it, at) => it !== model[at]);
  if (process.env['ETCD_CONTRACT_TELL'] !== undefined) console.log(real.join('\n'));
  expect(model[differs], `ETCD_CONTRACT_SEED=${SEED}, after\n${real.slice(0, differs).join('\n')}`).toBe(
    real[differs],
  );
}

describe.concurrent.each(['3.4', '3.5', '3.6'] as const)('the model of etcd %s and what follows', (minor) => {
  it(`says of versions what real etcd says, seed ${SEED}`, async () => {
    const random = createSeededRandom(SEED * TESTED_MINORS.length + TESTED_MINORS.indexOf(minor));
    await compare(minor, () => (known, done) => (done < OPERATIONS ? drawOperation(random, known) : null));
  }, 300_000);
});

describe.concurrent.each([
  ['3.6', '3.5'],
  ['3.7', '3.6'],
] as const)('the model of a downgrade from %s to %s that is withdrawn', (from, to) => {
  it('takes in one of the old version as real etcd does, though the log goes back to before', async () => {
    await compare(from, (exact) => {
      const version = exact.get(to) ?? '';
      const operations: readonly Operation[] = [
        { kind: 'enable', target: to },
        { kind: 'swap', slot: 0, version },
        { kind: 'cancel', target: to },
        { kind: 'join', version },
      ];
      return (_known, done) => operations[done] ?? null;
    });
  }, 300_000);
});
