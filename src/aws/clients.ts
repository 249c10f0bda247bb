import {
  AutoScalingClient,
  CompleteLifecycleActionCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeInstanceRefreshesCommand,
  DescribeLifecycleHooksCommand,
  RecordLifecycleActionHeartbeatCommand,
  StartInstanceRefreshCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  AuthorizeSecurityGroupIngressCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import type { EC2ClientConfig } from '@aws-sdk/client-ec2';
import {
  ChangeResourceRecordSetsCommand,
  GetHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from '@aws-sdk/client-route-53';
import type { AutoScalingCalls, Ec2Calls, RefreshCalls, Route53Calls } from './calls.ts';
import { createCaller } from './caller.ts';
import type { Call, CallObserver } from './caller.ts';
import { LIMITS } from './limits.ts';
import type { Limits } from './limits.ts';
import { retryOfReads } from './reads-retry.ts';
import { guardAnswers, holding } from './whole-answer.ts';
import type { Guarded } from './whole-answer.ts';

/** How to reach AWS. What is absent, the SDK finds by its own rules (environment, profile, container, metadata). */
export interface ClientOptions {
  /** The own region; Route 53 has none of its own, and is reached through the partition of this one. */
  readonly region: string;
  /** One address for all services; else AWS_ENDPOINT_URL, else AWS itself. */
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly limits?: Partial<Limits>;
}

/** The clients of one process, made when first used, one per service and region. */
export interface AwsClients {
  ec2(region: string): Ec2Calls;
  autoScaling(region: string): AutoScalingCalls & RefreshCalls;
  route53(): Route53Calls;
  /** Closes idle connections. Calls under way end as they would. */
  destroy(): void;
}

/** Who hears of the calls. */
export interface ClientDeps {
  readonly observer: CallObserver;
  /** Called when a request, signed, is about to be sent. */
  readonly onRequest?: () => void;
}

/** Makes the clients. The one place where tries, time limits, connections, credentials and counting are set. */
export function createClients(options: ClientOptions, deps: ClientDeps): AwsClients {
  const limits = { ...LIMITS, ...options.limits };
  const call = createCaller(limits.callDeadlineMs, deps.observer);
  const ec2 = new Map<string, Ec2Calls>();
  const autoScaling = new Map<string, AutoScalingCalls & RefreshCalls>();
  let route53: Route53Calls | undefined;
  const open: { destroy(): void }[] = [];
  let credentials: EC2ClientConfig['credentials'] = options.credentials;
  const make = <C extends SdkClient>(region: string, build: (config: EC2ClientConfig) => C): C => {
    const client = build({ ...configOf(options, limits, region), ...(credentials && { credentials }) });
    // One credential chain for all clients: each of its own would ask metadata, and refresh, for itself.
    credentials ??= client.config.credentials;
    guardAnswers(client.middlewareStack as Guarded);
    if (deps.onRequest !== undefined) tellRequests(client.middlewareStack as Guarded, deps.onRequest);
    open.push(client);
    return client;
  };
  return {
    ec2: (region) => {
      const calls =
        ec2.get(region) ??
        ec2Calls(
          make(region, (config) => new EC2Client(config)),
          call,
        );
      ec2.set(region, calls);
      return calls;
    },
    autoScaling: (region) => {
      const made = autoScaling.get(region);
      const calls =
        made ??
        autoScalingCalls(
          // The first questions are for others, and a client takes a while to make.
          once(() => make(region, (config) => new AutoScalingClient(config))),
          call,
        );
      autoScaling.set(region, calls);
      return calls;
    },
    route53: () => {
      route53 ??= route53Calls(
        make(options.region, (config) => {
          const retryStrategy = retryOfReads(limits.tries, Math.random);
          return new Route53Client({ ...config, retryStrategy });
        }),
        // A CREATE tried again after its answer was lost would look like a lost race: changes are tried once, with
        // all the time that there is, and zone-change.ts tries again what certainly was not taken.
        make(options.region, (config) => new Route53Client({ ...config, ...onceOnly(limits) })),
        call,
      );
      return route53;
    },
    destroy: () => {
      for (const client of open) client.destroy();
    },
  };
}

interface SdkClient {
  readonly middlewareStack: object;
  readonly config: { readonly credentials?: EC2ClientConfig['credentials'] };
  destroy(): void;
}

/** Tells of each try of each request, when credentials were had and nothing but the sending is left. */
function tellRequests(stack: Guarded, onRequest: () => void): void {
  stack.add(
    (next) => async (args) => {
      onRequest();
      return await next(args);
    },
    { step: 'deserialize', name: 'tellRequests', priority: 'low' },
  );
}

function configOf(options: ClientOptions, limits: Limits, region: string): EC2ClientConfig {
  return {
    region,
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    maxAttempts: limits.tries,
    retryMode: 'standard',
    requestHandler: handlerOf(limits, limits.tryMs),
  };
}

function onceOnly(limits: Limits): EC2ClientConfig {
  return { maxAttempts: 1, requestHandler: handlerOf(limits, limits.callDeadlineMs) };
}

function handlerOf(limits: Limits, requestTimeout: number): NonNullable<EC2ClientConfig['requestHandler']> {
  const agent = { keepAlive: true, timeout: limits.idleConnectionMs, maxSockets: 8 };
  return {
    connectionTimeout: limits.connectMs,
    requestTimeout,
    throwOnRequestTimeout: true,
    httpAgent: agent,
    httpsAgent: agent,
  };
}

/** Makes something when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly it: T } | null = null;
  return () => (made ??= { it: make() }).it;
}

function ec2Calls(client: EC2Client, call: Call): Ec2Calls {
  return {
    describeInstances: (input, signal) =>
      call('ec2', 'DescribeInstances', signal, async (abortSignal) =>
        holding(await client.send(new DescribeInstancesCommand(input), { abortSignal }), 'Reservations'),
      ),
    describeSecurityGroups: (input, signal) =>
      call('ec2', 'DescribeSecurityGroups', signal, async (abortSignal) =>
        holding(
          await client.send(new DescribeSecurityGroupsCommand(input), { abortSignal }),
          'SecurityGroups',
        ),
      ),
    // Tried again after a lost answer, each says that it was done before: that is as good.
    authorizeSecurityGroupIngress: (input, signal) =>
      call('ec2', 'AuthorizeSecurityGroupIngress', signal, (abortSignal) =>
        client.send(new AuthorizeSecurityGroupIngressCommand(input), { abortSignal }),
      ),
    revokeSecurityGroupIngress: (input, signal) =>
      call('ec2', 'RevokeSecurityGroupIngress', signal, (abortSignal) =>
        client.send(new RevokeSecurityGroupIngressCommand(input), { abortSignal }),
      ),
  };
}

function autoScalingCalls(client: () => AutoScalingClient, call: Call): AutoScalingCalls & RefreshCalls {
  return {
    describeAutoScalingGroups: (input, signal) =>
      call('autoscaling', 'DescribeAutoScalingGroups', signal, async (abortSignal) =>
        holding(
          await client().send(new DescribeAutoScalingGroupsCommand(input), { abortSignal }),
          'AutoScalingGroups',
        ),
      ),
    describeAutoScalingInstances: (input, signal) =>
      call('autoscaling', 'DescribeAutoScalingInstances', signal, async (abortSignal) =>
        holding(
          await client().send(new DescribeAutoScalingInstancesCommand(input), { abortSignal }),
          'AutoScalingInstances',
        ),
      ),
    describeLifecycleHooks: (input, signal) =>
      call('autoscaling', 'DescribeLifecycleHooks', signal, async (abortSignal) =>
        holding(
          await client().send(new DescribeLifecycleHooksCommand(input), { abortSignal }),
          'LifecycleHooks',
        ),
      ),
    completeLifecycleAction: (input, signal) =>
      call('autoscaling', 'CompleteLifecycleAction', signal, (abortSignal) =>
        client().send(new CompleteLifecycleActionCommand(input), { abortSignal }),
      ),
    recordLifecycleActionHeartbeat: (input, signal) =>
      call('autoscaling', 'RecordLifecycleActionHeartbeat', signal, (abortSignal) =>
        client().send(new RecordLifecycleActionHeartbeatCommand(input), { abortSignal }),
      ),
    describeInstanceRefreshes: (input, signal) =>
      call('autoscaling', 'DescribeInstanceRefreshes', signal, async (abortSignal) =>
        holding(
          await client().send(new DescribeInstanceRefreshesCommand(input), { abortSignal }),
          'InstanceRefreshes',
        ),
      ),
    startInstanceRefresh: (input, signal) =>
      call('autoscaling', 'StartInstanceRefresh', signal, (abortSignal) =>
        client().send(new StartInstanceRefreshCommand(input), { abortSignal }),
      ),
  };
}

function route53Calls(client: Route53Client, changing: Route53Client, call: Call): Route53Calls {
  return {
    listHostedZonesByName: (input, signal) =>
      call('route53', 'ListHostedZonesByName', signal, async (abortSignal) =>
        holding(await client.send(new ListHostedZonesByNameCommand(input), { abortSignal }), 'HostedZones'),
      ),
    getHostedZone: (input, signal) =>
      call('route53', 'GetHostedZone', signal, (abortSignal) =>
        client.send(new GetHostedZoneCommand(input), { abortSignal }),
      ),
    listResourceRecordSets: (input, signal) =>
      call('route53', 'ListResourceRecordSets', signal, async (abortSignal) =>
        holding(
          await client.send(new ListResourceRecordSetsCommand(input), { abortSignal }),
          'ResourceRecordSets',
        ),
      ),
    changeResourceRecordSets: (input, signal) =>
      call('route53', 'ChangeResourceRecordSets', signal, async (abortSignal) =>
        holding(
          await changing.send(new ChangeResourceRecordSetsCommand(input), { abortSignal }),
          'ChangeInfo',
        ),
      ),
  };
}
