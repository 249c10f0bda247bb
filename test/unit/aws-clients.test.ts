import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { IAM_ACTIONS, OPERATOR_ACTIONS } from '../../src/aws/actions.ts';
import type { ObservedCall } from '../../src/aws/caller.ts';
import type { Limits } from '../../src/aws/limits.ts';
import {
  ec2Answer,
  ec2Error,
  groupsAnswer,
  queryError,
  recordsAnswer,
  zoneAnswer,
} from '../fakes/wire-answers.ts';
import { wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;

async function clientsOf(
  answer: (request: WireRequest, earlier: number) => WireAnswer,
  limits: Partial<Limits> = {},
) {
  const seen: ObservedCall[] = [];
  const { clients, server } = await wireAwsForTest(answer, { limits, onCall: (call) => seen.push(call) });
  return { clients, server, seen };
}

describe('every call is counted', () => {
  test('with its service, action, result and tries', async () => {
    const { clients, seen } = await clientsOf(({ service }) => {
      if (service === 'ec2') return ec2Answer([]);
      return service === 'autoscaling'
        ? queryError(403, 'AccessDenied')
        : zoneAnswer({ id: 'Z1', name: 'a.' });
    });
    await clients.ec2('eu-west-1').describeInstances({}, never);
    await expect(clients.autoScaling('eu-west-1').describeAutoScalingGroups({}, never)).rejects.toThrow();
    await clients.route53().getHostedZone({ Id: 'Z1' }, never);
    expect(seen.map(({ service, action, result, tries }) => [service, action, result, tries])).toEqual([
      ['ec2', 'DescribeInstances', 'ok', 1],
      ['autoscaling', 'DescribeAutoScalingGroups', 'AccessDenied', 1],
      ['route53', 'GetHostedZone', 'ok', 1],
    ]);
    expect(seen.every((call) => call.durationMs > 0)).toBe(true);
  });

  test('once, however often it was tried', async () => {
    const { clients, seen, server } = await clientsOf((_, earlier) =>
      earlier < 2 ? ec2Error(500, 'InternalError') : ec2Answer([]),
    );
    await clients.ec2('eu-central-1').describeInstances({}, never);
    expect(seen).toMatchObject([{ result: 'ok', tries: 3 }]);
    expect(server.requests).toHaveLength(3);
  });

  test('when it is given up at its deadline, and when the caller aborts it', async () => {
    const { clients, seen } = await clientsOf(() => 'hang', { callDeadlineMs: 200, tryMs: 10_000 });
    const ec2 = clients.ec2('eu-central-1');
    await expect(ec2.describeInstances({}, never)).rejects.toMatchObject({ name: 'TimeoutError' });
    const controller = new AbortController();
    const asked = ec2.describeInstances({}, controller.signal);
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    expect(seen.map((call) => call.result)).toEqual(['TimeoutError', 'Error']);
    expect(seen[0]?.durationMs).toBeLessThan(10_000);
  });
});

describe('tries', () => {
  test('end after three', async () => {
    const { clients, server } = await clientsOf(() => ec2Error(500, 'InternalError'));
    await expect(clients.ec2('eu-central-1').describeInstances({}, never)).rejects.toThrow();
    expect(server.requests).toHaveLength(3);
  });

  test('of reads that Route 53 throttles come when the next is due, and end after three', async () => {
    const { clients, seen, server } = await clientsOf((_, earlier) =>
      earlier === 0 || earlier > 1 ? queryError(400, 'Throttling') : zoneAnswer({ id: 'Z1', name: 'a.' }),
    );
    await clients.route53().getHostedZone({ Id: 'Z1' }, never);
    expect(seen).toMatchObject([{ result: 'ok', tries: 2 }]);
    expect(seen[0]?.durationMs).toBeGreaterThan(195);
    await expect(clients.route53().getHostedZone({ Id: 'Z1' }, never)).rejects.toMatchObject({
      name: 'Throttling',
    });
    expect(server.requests).toHaveLength(5);
  });

  test('of what Route 53 refuses for good there is one', async () => {
    const { clients, server } = await clientsOf(() => queryError(403, 'AccessDenied'));
    await expect(clients.route53().getHostedZone({ Id: 'Z1' }, never)).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    expect(server.requests).toHaveLength(1);
  });

  test('that hang leave time for another', async () => {
    const { clients } = await clientsOf((_, earlier) => (earlier < 2 ? 'hang' : ec2Answer([])), {
      tryMs: 100,
    });
    await expect(clients.ec2('eu-central-1').describeInstances({}, never)).resolves.toBeDefined();
  });

  test('are never repeated for a change of records', async () => {
    const { clients, server } = await clientsOf(() => queryError(500, 'InternalFailure'));
    const input = { HostedZoneId: 'Z1', ChangeBatch: { Changes: [] } };
    await expect(clients.route53().changeResourceRecordSets(input, never)).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  });
});

test('a connection that the server closed while it was idle is not met again', async () => {
  const { clients, server } = await clientsOf(() => recordsAnswer([]), { idleConnectionMs: 50 });
  const input = { HostedZoneId: 'Z1' };
  await clients.route53().listResourceRecordSets(input, never);
  await clients.route53().listResourceRecordSets(input, never);
  expect(server.connections()).toBe(1);
  await expect.poll(() => server.openConnections()).toBe(0);
  await clients.route53().listResourceRecordSets(input, never);
  expect(server.connections()).toBe(2);
});

test('each region is asked as itself, Route 53 in the one that it lives in', async () => {
  const { clients, server } = await clientsOf(({ service }) =>
    service === 'route53' ? recordsAnswer([]) : service === 'ec2' ? ec2Answer([]) : groupsAnswer([]),
  );
  await clients.ec2('eu-west-1').describeInstances({}, never);
  await clients.autoScaling('ap-south-1').describeAutoScalingGroups({}, never);
  await clients.route53().listResourceRecordSets({ HostedZoneId: 'Z1' }, never);
  expect(server.requests.map(({ service, region }) => [service, region])).toEqual([
    ['ec2', 'eu-west-1'],
    ['autoscaling', 'ap-south-1'],
    ['route53', expect.stringMatching(/^(us-east-1|eu-central-1)$/)],
  ]);
});

test('the IAM policy, with what an operator needs beyond it, is exactly the commands that the code sends', () => {
  const folder = new URL('../../src/aws/', import.meta.url);
  const sent = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const source = readFileSync(new URL(file, folder), 'utf8');
      // Which package each command is imported from tells its service.
      return [...source.matchAll(/import (?!type)\{([^}]*)\} from '@aws-sdk\/client-([a-z0-9-]+)'/g)].flatMap(
        ([, names = '', client = '']) =>
          [...names.matchAll(/(\w+)Command\b/g)]
            .filter(([command]) => source.includes(`new ${command}(`))
            .map(([, action = '']) => `${client.replaceAll('-', '')}:${action}`),
      );
    });
  expect(sent.toSorted()).toEqual([...IAM_ACTIONS, ...OPERATOR_ACTIONS].toSorted());
});
