import { expect, test } from 'vitest';
import { type Registers, startRegisters } from '../e2e/registers.ts';
import { calm, labCluster, type LabMember, must } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';

/* The clients of the end-to-end tests and their check, on three real etcds, of which one is away for a while. */

type Lab = Awaited<ReturnType<typeof labCluster>>;

interface Subject extends LabMember {
  readonly pid: number;
}

async function untilHeard(registers: readonly Registers[], endpoints: readonly string[]): Promise<void> {
  const nowMs = performance.now();
  await eventually(() =>
    registers.every((it) => !it.silentSince(nowMs).some((endpoint) => endpoints.includes(endpoint))),
  );
}

/** A member that follows, and the others. */
async function choose({ admin, members, running }: Lab): Promise<{ away: Subject; others: Subject[] }> {
  const subjects = members.map((member, index) => ({ ...member, pid: running[index]?.pid ?? 0 }));
  const statuses = await Promise.all(
    members.map(async ({ endpoint }) => must(await admin.status(endpoint, calm))),
  );
  const index = statuses.findIndex(({ leader, memberId }) => leader !== memberId);
  const [away] = subjects.splice(index, 1);
  if (away === undefined) throw new Error('nobody follows');
  return { away, others: subjects };
}

function endpointsOf({ members }: Lab): () => readonly string[] {
  return () => members.map(({ endpoint }) => endpoint);
}

function signal(subjects: readonly Subject[], name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const { pid } of subjects) process.kill(pid, name);
}

const MUCH = 'x'.repeat(1_000_000);

/**
 * A member is stopped while clients write through the others, and goes on while these are stopped: what it answers then
 * is what it held before. In the end all go on. Gives what is found where its reads are serializable.
 */
async function foundBehind(lab: Lab, right: Registers, prefix: string): Promise<readonly string[]> {
  const { away, others } = await choose(lab);
  const [other] = others;
  await using stack = new AsyncDisposableStack();
  signal([away], 'SIGSTOP');
  stack.defer(() => signal([away, ...others], 'SIGCONT'));
  // Begun only now: whoever merely lags is behind for a moment, too.
  const planted = startRegisters(endpointsOf(lab), { prefix, serializableAt: away.endpoint });
  stack.defer(planted.stop);
  // More than waits for it in buffers, which it would read first.
  for (let piece = 0; piece < 12; piece += 1)
    must(await lab.admin.put(other?.endpoint ?? '', `much/${piece}`, MUCH, {}, calm));
  await untilHeard(
    [planted, right],
    others.map(({ endpoint }) => endpoint),
  );
  expect(planted.broken()).toEqual([]);
  signal(others, 'SIGSTOP');
  signal([away], 'SIGCONT');
  await untilHeard([planted], [away.endpoint]);
  signal(others, 'SIGCONT');
  return planted.broken();
}

test('clients ask a member that was away as soon as it is back, and find what it still holds from before', async () => {
  await using stack = new AsyncDisposableStack();
  const lab = await labCluster('3.6', 3, stack);
  const right = startRegisters(endpointsOf(lab));
  stack.defer(right.stop);
  await untilHeard([right], endpointsOf(lab)());
  let rounds = 0;
  // A register that nobody wrote while it was away is read as it is: they are others every few seconds.
  await eventually(async () => {
    rounds += 1;
    const found = await foundBehind(lab, right, `planted ${rounds}/`);
    await untilHeard([right], endpointsOf(lab)());
    return found.length > 0;
  });
  expect(right.broken()).toEqual([]);
});
