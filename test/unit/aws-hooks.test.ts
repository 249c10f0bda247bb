import { describe, expect, test } from 'vitest';
import { createHooks } from '../../src/aws/hooks.ts';
import { autoScalingAnswer, queryError } from '../fakes/wire-answers.ts';
import { WIRE_REGION, wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;
const LAUNCHING = 'autoscaling:EC2_INSTANCE_LAUNCHING';
const TERMINATING = 'autoscaling:EC2_INSTANCE_TERMINATING';

const hooksAnswer = (hooks: Readonly<Record<string, string>>) =>
  autoScalingAnswer(
    'DescribeLifecycleHooks',
    `<LifecycleHooks>${Object.entries(hooks)
      .map(
        ([name, transition]) =>
          `<member><LifecycleHookName>${name}</LifecycleHookName><LifecycleTransition>${transition}</LifecycleTransition></member>`,
      )
      .join('')}</LifecycleHooks>`,
  );

const instanceAnswer = (lifecycle: string) =>
  autoScalingAnswer(
    'DescribeAutoScalingInstances',
    lifecycle === ''
      ? '<AutoScalingInstances/>'
      : `<AutoScalingInstances><member><InstanceId>i-1</InstanceId><LifecycleState>${lifecycle}</LifecycleState></member></AutoScalingInstances>`,
  );

async function hooksOf(
  described: () => WireAnswer,
  acted: (request: WireRequest) => WireAnswer,
  group: string | null = 'g',
  lifecycle = 'InService',
) {
  const { clients, server } = await wireAwsForTest((request) => {
    if (request.action === 'DescribeAutoScalingInstances') return instanceAnswer(lifecycle);
    return request.action === 'DescribeLifecycleHooks' ? described() : acted(request);
  });
  const time = { ms: 0 };
  const hooks = createHooks(
    { instanceId: 'i-1', group },
    { autoScaling: clients.autoScaling(WIRE_REGION), now: () => time.ms },
  );
  return { hooks, server, time };
}

const done = (request: WireRequest) => autoScalingAnswer(request.action, '');

describe('complete', () => {
  test('completes the hooks of the kind for the own instance', async () => {
    const { hooks, server } = await hooksOf(
      () => hooksAnswer({ a: LAUNCHING, b: TERMINATING, c: LAUNCHING }),
      done,
    );
    expect(await hooks.complete('launching', 'CONTINUE', never)).toEqual({ known: true, value: 'done' });
    expect(
      server.requests
        .slice(1)
        .map(({ action, params }) => [
          action,
          params.get('AutoScalingGroupName'),
          params.get('LifecycleHookName'),
          params.get('InstanceId'),
          params.get('LifecycleActionResult'),
        ]),
    ).toEqual([
      ['CompleteLifecycleAction', 'g', 'a', 'i-1', 'CONTINUE'],
      ['CompleteLifecycleAction', 'g', 'c', 'i-1', 'CONTINUE'],
    ]);
  });

  test('says that nothing waits, also where only some of the hooks wait that it is done', async () => {
    const refused = queryError(
      400,
      'ValidationError',
      'No active Lifecycle Action found with instance ID i-1',
    );
    const none = await hooksOf(
      () => hooksAnswer({ a: LAUNCHING }),
      () => refused,
    );
    expect(await none.hooks.complete('launching', 'CONTINUE', never)).toEqual({
      known: true,
      value: 'not-waiting',
    });
    const one = await hooksOf(
      () => hooksAnswer({ a: LAUNCHING, b: LAUNCHING }),
      (request) => (request.params.get('LifecycleHookName') === 'a' ? refused : done(request)),
    );
    expect(await one.hooks.complete('launching', 'CONTINUE', never)).toEqual({ known: true, value: 'done' });
  });

  test('says that there is no hook, without a group too', async () => {
    const { hooks } = await hooksOf(() => hooksAnswer({ b: TERMINATING }), done);
    expect(await hooks.complete('launching', 'CONTINUE', never)).toEqual({ known: true, value: 'no-hook' });
    const alone = await hooksOf(() => 'reset', done, null);
    expect(await alone.hooks.complete('launching', 'CONTINUE', never)).toEqual({
      known: true,
      value: 'no-hook',
    });
    expect(alone.server.requests).toEqual([]);
  });

  test.each<{ which: 'launching' | 'terminating'; lifecycle: string; believed: boolean }>([
    { which: 'launching', lifecycle: 'Pending:Wait', believed: false },
    { which: 'launching', lifecycle: 'Pending', believed: false },
    { which: 'launching', lifecycle: '', believed: false },
    { which: 'launching', lifecycle: 'Pending:Proceed', believed: true },
    { which: 'launching', lifecycle: 'InService', believed: true },
    { which: 'terminating', lifecycle: 'Terminating:Wait', believed: false },
    { which: 'terminating', lifecycle: 'Terminating', believed: true },
    { which: 'terminating', lifecycle: '', believed: true },
  ])('no hook for $which, of an instance that is "$lifecycle": believed $believed', async (row) => {
    const { hooks } = await hooksOf(() => hooksAnswer({}), done, 'g', row.lifecycle);
    expect(await hooks.complete(row.which, 'CONTINUE', never)).toMatchObject({ known: row.believed });
  });

  // The group lets a load balancer drain its connections before the hook begins to hold.
  test.each<{ which: 'launching' | 'terminating'; lifecycle: string; outcome: string }>([
    { which: 'terminating', lifecycle: 'Terminating', outcome: 'to-come' },
    { which: 'terminating', lifecycle: 'Terminating:Proceed', outcome: 'not-waiting' },
    { which: 'launching', lifecycle: 'Terminating', outcome: 'not-waiting' },
  ])('a hook for $which that holds nothing of an instance that is "$lifecycle": $outcome', async (row) => {
    const refused = queryError(400, 'ValidationError', 'No active Lifecycle Action found');
    const { hooks } = await hooksOf(
      () => hooksAnswer({ a: LAUNCHING, b: TERMINATING }),
      () => refused,
      'g',
      row.lifecycle,
    );
    const answer = { known: true, value: row.outcome };
    expect(await hooks.complete(row.which, 'CONTINUE', never)).toEqual(answer);
    expect(await hooks.heartbeat(row.which, never)).toEqual(answer);
  });

  test('is unknown where Auto Scaling fails, in either call', async () => {
    const one = await hooksOf(() => queryError(403, 'AccessDenied'), done);
    expect(await one.hooks.complete('launching', 'CONTINUE', never)).toMatchObject({ known: false });
    const two = await hooksOf(
      () => hooksAnswer({ a: LAUNCHING }),
      () => queryError(403, 'AccessDenied'),
    );
    expect(await two.hooks.complete('launching', 'CONTINUE', never)).toEqual({
      known: false,
      reason: expect.stringMatching(/hook a, answered AccessDenied/) as string,
    });
  });
});

test('a heartbeat asks for more time', async () => {
  const { hooks, server } = await hooksOf(() => hooksAnswer({ b: TERMINATING }), done);
  expect(await hooks.heartbeat('terminating', never)).toEqual({ known: true, value: 'done' });
  expect(server.requests[1]?.action).toBe('RecordLifecycleActionHeartbeat');
  expect(server.requests[1]?.params.get('LifecycleHookName')).toBe('b');
});

test('the hooks are asked for once a minute, none at all after ten seconds', async () => {
  const answers = [hooksAnswer({}), hooksAnswer({ b: TERMINATING })];
  const { hooks, server, time } = await hooksOf(() => answers.shift() ?? hooksAnswer({}), done);
  const described = () => server.requests.filter(({ action }) => action === 'DescribeLifecycleHooks').length;
  expect(await hooks.heartbeat('terminating', never)).toEqual({ known: true, value: 'no-hook' });
  await hooks.heartbeat('terminating', never);
  expect(described()).toBe(1);
  time.ms = 10_000;
  expect(await hooks.heartbeat('terminating', never)).toEqual({ known: true, value: 'done' });
  time.ms = 69_000;
  await hooks.heartbeat('terminating', never);
  expect(described()).toBe(2);
  time.ms = 70_000;
  await hooks.heartbeat('terminating', never);
  expect(described()).toBe(3);
});
