import { describe, expect, it } from 'vitest';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { etcdBinary, TESTED_MINORS } from '../tools.ts';
import { createDriver } from './etcd/driver.ts';
import { drawOperation, type Operation } from './etcd/operation.ts';
import { modelSubject, realSubject } from './etcd/subject.ts';

/*
 * The simulator's etcd is held to the real one: the same operations, drawn from a seed, are done to both, and each time
 * the class of the answer, the members and the keys have to be the same. Real etcd is the judge.
 * ETCD_CONTRACT_SEQUENCES: how many sequences per version; ETCD_CONTRACT_SEED: the first one's seed.
 */

const SEQUENCES = Number(process.env['ETCD_CONTRACT_SEQUENCES'] ?? 2);
const FIRST_SEED = Number(process.env['ETCD_CONTRACT_SEED'] ?? Date.now() % 1_000_000);
/** No operation is begun later than this; ms. */
const BEGIN_WITHIN_MS = Number(process.env['ETCD_CONTRACT_MS'] ?? 14_000);
const MACHINES = 5;
/** For a sequence whose last operation takes long, on a machine that others use, too; ms. */
const PATIENCE_MS = BEGIN_WITHIN_MS + 100_000;

type Minor = (typeof TESTED_MINORS)[number];

interface Step {
  readonly operation: Operation;
  readonly said: string;
}

async function playReal(
  seed: number,
  minor: Minor,
): Promise<{ readonly born: string; readonly steps: Step[] }> {
  await using subject = await realSubject(MACHINES, minor);
  const driver = createDriver(subject);
  // Each version has operations of its own.
  const random = createSeededRandom(seed * TESTED_MINORS.length + TESTED_MINORS.indexOf(minor));
  const end = subject.now() + BEGIN_WITHIN_MS;
  const born = await driver.found();
  const steps: Step[] = [];
  while (subject.now() < end) {
    const operation = drawOperation(random, driver.standing());
    steps.push({ operation, said: await driver.perform(operation) });
  }
  return { born, steps };
}

async function playModel(
  seed: number,
  version: string,
  operations: readonly Operation[],
): Promise<{ readonly born: string; readonly steps: Step[] }> {
  await using subject = modelSubject(MACHINES, seed, version);
  const driver = createDriver(subject);
  const born = await driver.found();
  const steps: Step[] = [];
  for (const operation of operations) steps.push({ operation, said: await driver.perform(operation) });
  return { born, steps };
}

function tell({ operation, said }: Step): string {
  const { kind, ...rest } = operation;
  return `${kind} ${Object.values(rest).join(' ')}: ${said}`;
}

/**
 * What becomes of a wiped member depends on whether the leader changes meanwhile, as it may on a machine that is busy: the
 * leader to whom it had acknowledged something lets it panic, another one takes it for new.
 */
function isRace(one: string | undefined, other: string | undefined): boolean {
  const ends = [one, other].map((it) => /^wipe \d: (ended 2|serves)/.exec(it ?? '')?.[1]);
  return ends.every((it) => it !== undefined) && ends[0] !== ends[1];
}

describe.concurrent.each(TESTED_MINORS)('the model of etcd %s', (minor) => {
  it.concurrent.each(Array.from({ length: SEQUENCES }, (_, index) => FIRST_SEED + index))(
    'says what real etcd says, seed %i',
    async (seed) => {
      const real = await playReal(seed, minor);
      const { version } = await etcdBinary(minor);
      const operations = real.steps.map((it) => it.operation);
      const model = await playModel(seed, version, operations);
      const [told, said] = [real, model].map(({ born, steps }) => [`born: ${born}`, ...steps.map(tell)]);
      const differs = told?.findIndex((it, at) => it !== said?.[at]) ?? -1;
      const history = told?.slice(0, differs < 0 ? told.length : differs).join('\n');
      if (process.env['ETCD_CONTRACT_TELL'] !== undefined)
        console.log(`${version}, seed ${seed}\n${history}`);
      // Only the first difference counts: what follows it is its consequence.
      if (isRace(told?.[differs], said?.[differs])) return;
      expect(said?.[differs], `ETCD_CONTRACT_SEED=${seed}, etcd ${version}, after\n${history}`).toBe(
        told?.[differs],
      );
    },
    PATIENCE_MS,
  );
});
