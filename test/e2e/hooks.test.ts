import { expect, test } from 'vitest';
import { readClaim } from '../../src/core/claim.ts';
import { namesOf } from '../../src/core/names.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { textOf } from './fields.ts';
import { fleetForFile } from './harness.ts';
import { startRefresh } from './upgrade-ways.ts';

/* One fleet in a group with a launching and a terminating hook. */
const fleet = fleetForFile({ size: 3, hooks: true });

/** How a lifecycle action ended, and who was a voter by the claim at that moment. */
interface Ending {
  readonly instanceId: string;
  readonly hook: string;
  readonly by: string;
  readonly result: string;
  readonly voters: readonly string[];
}

/** The endings of lifecycle actions since event `sinceSeq`, read off the event log. */
function endings(sinceSeq: number): readonly Ending[] {
  const { sandbox } = fleet();
  const claimName = namesOf(sandbox.addresses.clusterName).claim;
  let voters: readonly string[] = [];
  const seen: Ending[] = [];
  for (const { seq, type, fields } of sandbox.cloud.events.since(0)) {
    const field = (key: string): string => textOf(fields, key);
    if (type === 'record-change' && field('action') === 'CREATE' && field('name') === `${claimName}.`) {
      const values = fields['values'] as readonly string[];
      const reading = readClaim(claimName, [{ name: claimName, type: 'TXT', ttl: 5, values }]);
      const claim = reading.kind === 'claim' ? reading.claim : null;
      voters = claim?.state === 'formed' ? claim.voters.map(({ instanceId }) => instanceId) : [];
    }
    if (type !== 'hook-ended' || seq <= sinceSeq) continue;
    const [instanceId, hook, by, result] = ['instanceId', 'hook', 'by', 'result'].map(field);
    seen.push({ instanceId, hook, by, result, voters } as Ending);
  }
  return seen;
}

function lastSeq(): number {
  return fleet().sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
}

/** Until so many actions of the hook have ended. The appliance completes a launch once it is ready: a moment later. */
async function untilEnded(hook: string, count: number, sinceSeq: number): Promise<readonly Ending[]> {
  await fleet().until(`${count} of ${hook} have ended`, async () => {
    const done = endings(sinceSeq).filter((ending) => ending.hook === hook).length;
    return done >= count ? [] : [`${done} have`];
  });
  return endings(sinceSeq);
}

function expectInOrder(seen: readonly Ending[]): void {
  for (const { instanceId, hook, by, result, voters } of seen) {
    expect({ hook, by, result }).toEqual({ hook, by: 'completed', result: 'CONTINUE' });
    // The claim has a voter from before it is promoted until after it is removed.
    if (hook === 'launching') expect(voters).toContain(instanceId);
  }
}

test('a launch is completed by a healthy voter', async () => {
  const seen = await untilEnded('launching', 3, 0);
  expect(seen).toHaveLength(3);
  expectInOrder(seen);
  const states = fleet()
    .sandbox.cloud.describe()
    .instances.map(({ lifecycleState }) => lifecycleState);
  expect(states).toEqual(['InService', 'InService', 'InService']);
});

test('a termination is completed by who has left', async () => {
  const { sandbox, leader, whole, writesGoOn, admin, followers } = fleet();
  const since = lastSeq();
  const { instanceId } = await leader();
  const [other] = await followers();
  const left: (readonly string[])[] = [];
  sandbox.cloud.events.subscribe(({ type, fields }) => {
    if (type !== 'hook-ended' || fields['instanceId'] !== instanceId) return;
    void admin
      .memberList(clientUrl(other?.address ?? ''), { linearizable: true }, new AbortController().signal)
      .then((list) => left.push(list.known ? list.value.members.map(({ name }) => name) : [instanceId]));
  });
  sandbox.cloud.terminateInstance(instanceId, { decrement: false });
  await whole(3);
  await writesGoOn();
  const seen = await untilEnded('launching', 1, since);
  expectInOrder(seen);
  expect(seen.map(({ hook }) => hook).toSorted()).toEqual(['launching', 'terminating']);
  expect(left).toHaveLength(1);
  expect(left.flat()).not.toContain(instanceId);
});

test('an instance refresh replaces all three, one after the other, and no write is lost', async () => {
  const { sandbox, view, until, whole, writesGoOn, verify } = fleet();
  const since = lastSeq();
  const before = (await view()).map(({ instanceId }) => instanceId);
  await startRefresh(sandbox);
  let fewest = 3;
  await until(
    'the refresh ends',
    async () => {
      // By their own word: in the moment of a hand-over none has a linearizable answer, and all of them serve.
      const serving = (await view()).filter(({ status }) => status?.learner === false);
      fewest = Math.min(fewest, serving.length);
      const done = sandbox.cloud.events
        .since(since)
        .some(({ type, fields }) => type === 'refresh' && fields['status'] === 'Successful');
      return done ? [] : [`${serving.length} serve`];
    },
    150_000,
  );
  await whole(3);
  await writesGoOn();
  const after = (await view()).map(({ instanceId }) => instanceId);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  expect(fewest).toBeGreaterThanOrEqual(2);
  const seen = endings(since);
  expectInOrder(seen);
  expect(seen.filter(({ hook }) => hook === 'terminating')).toHaveLength(3);
  await verify();
});
