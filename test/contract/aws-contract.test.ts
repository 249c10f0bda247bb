import { CreateLaunchTemplateCommand, DescribeSubnetsCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { createCloudServer } from '../../src/sandbox/server.ts';
import { createClients } from '../unit/sandbox/cloud-fixture.ts';
import { motoServer } from '../tools.ts';
import { BEHAVIOURS, type AwsSubject } from './aws-contract.ts';

/*
 * One suite of what AWS does, held against the sandbox and against moto, which strangers wrote: a simulation held only
 * against itself proves nothing.
 */

type OpenSubject = AwsSubject & AsyncDisposable;

/** Where moto 5.2.5 is wrong, by the behaviour's name, and why we say so. These must fail: one that passes leaves the table. */
const MOTO_DEVIATIONS: Readonly<Record<string, string>> = {
  'the members of a group are spread over its zones': 'puts all into the first subnet',
  'DescribeInstances comes in pages': 'counts the instances of one launch as one reservation, however many',
  'a user cannot set tags of the prefix aws:': 'takes any tag',
  'a desired capacity outside of the bounds is refused': 'checks no bounds',
  'a terminated instance is described without an address': 'keeps the address',
  'an unhealthy member is replaced': 'leaves the unhealthy alone',
  'members are known by their instance, with the health in capitals': 'writes the health as Healthy',
  'a launching hook holds an instance until its action is completed, once': 'keeps hooks, but runs none',
  'an instance refresh replaces every member': 'has no instance refresh: an HTML page with status 500',
  'a new change is pending first': 'has every change in sync at once',
  'creating what exists with other values is refused': 'compares values where AWS compares names and types',
  'a batch of which one set exists already does nothing':
    'compares values where AWS compares names and types',
  'a batch of which one name is of another zone does nothing':
    'carries out what comes before the refused change',
  'deleting what is not there is refused in the words of Route 53': 'answers InvalidInput',
  'deleting with other values is refused in the words of Route 53': 'answers InvalidInput',
  'of two that replace the same value one wins': 'takes a DELETE of values that were there once',
  'malformed SRV values are refused': 'checks no values',
  'malformed addresses are refused': 'checks no values',
  'an asterisk comes back as an escape': 'gives the asterisk itself',
  'zones by name start at the name and go on': 'gives the exact name alone',
};

async function openSandbox(): Promise<OpenSubject> {
  const free = { host: '127.0.0.1', port: 0 };
  const nothing = async (): Promise<void> => undefined;
  const server = createCloudServer({
    hypervisor: { boot: nothing, shutdown: nothing, powerCut: nothing },
    settings: {
      launchDelayMs: 5,
      terminationDelayMs: 5,
      healthCheckMs: 50,
      route53PendingMs: 50,
      route53RateLimit: 0,
    },
    aws: free,
    dns: free,
    metadata: () => free,
  });
  const { awsEndpoint } = await server.start();
  const clients = createClients(awsEndpoint, 'AKIAOPERATOR');
  return {
    ...clients,
    launch: { template: 'etcd', subnets: 'subnet-a,subnet-b,subnet-c' },
    async [Symbol.asyncDispose]() {
      clients.destroy();
      await server.close();
    },
  };
}

async function openMoto(): Promise<OpenSubject> {
  const moto = await motoServer();
  const clients = createClients(moto.url, 'AKIAOPERATOR');
  const LaunchTemplateData = { ImageId: 'ami-12c6146b', InstanceType: 't3.micro' } as const;
  await clients.ec2.send(new CreateLaunchTemplateCommand({ LaunchTemplateName: 'etcd', LaunchTemplateData }));
  const { Subnets } = await clients.ec2.send(new DescribeSubnetsCommand({}));
  const subnets = (Subnets ?? []).map((subnet) => subnet.SubnetId).join(',');
  return {
    ...clients,
    launch: { template: 'etcd', subnets },
    async [Symbol.asyncDispose]() {
      clients.destroy();
      await moto[Symbol.asyncDispose]();
    },
  };
}

function hold(
  name: string,
  open: () => Promise<OpenSubject>,
  deviations: Readonly<Record<string, string>>,
): void {
  describe(name, () => {
    let subject: OpenSubject | undefined;
    const opened = (): OpenSubject => {
      if (subject === undefined) throw new Error(`${name} was not opened`);
      return subject;
    };
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(async () => {
      await subject?.[Symbol.asyncDispose]();
    });
    it('deviates only in behaviours that there are', ({ expect }) => {
      expect(Object.keys(deviations).filter((it) => !Object.hasOwn(BEHAVIOURS, it))).toEqual([]);
    });
    for (const [behaviour, check] of Object.entries(BEHAVIOURS)) {
      const reason = deviations[behaviour];
      const title = reason === undefined ? behaviour : `${behaviour} (not here: ${reason})`;
      (reason === undefined ? it : it.fails)(title, () => check(opened()));
    }
  });
}

hold('the sandbox', openSandbox, {});
hold('moto', openMoto, MOTO_DEVIATIONS);
