import { onTestFinished } from 'vitest';
import type { ObservedCall } from '../../src/aws/caller.ts';
import { type AwsClients, createClients } from '../../src/aws/clients.ts';
import type { Limits } from '../../src/aws/limits.ts';
import type { InstanceIdentity } from '../../src/aws/metadata.ts';
import { startWireServer, type WireAnswer, type WireRequest, type WireServer } from './wire-server.ts';

/** The region that the clients of `wireAwsForTest` sign for. */
export const WIRE_REGION = 'eu-central-1';

/** What metadata say of the instance i-1. */
export const WIRE_IDENTITY: InstanceIdentity = {
  instanceId: 'i-1',
  region: WIRE_REGION,
  zone: 'eu-central-1a',
  address: '10.0.0.1',
  accountId: '123456789012',
};

/** What EC2 has tagged it with. */
export const WIRE_TAGS = { 'aws:cloudformation:stack-name': 'etcd-demo', 'aws:autoscaling:groupName': 'g' };

/** What a test wants otherwise. */
export interface WireAwsOptions {
  readonly limits?: Partial<Limits>;
  /** Where the clients call instead of the server. */
  readonly endpoint?: string;
  readonly onCall?: (call: ObservedCall) => void;
}

/** The appliance's own clients, and the server that says to them what a test makes it say. Both end with the test. */
export async function wireAwsForTest(
  answer: (request: WireRequest, earlier: number) => WireAnswer | Promise<WireAnswer>,
  { limits = {}, endpoint, onCall = () => undefined }: WireAwsOptions = {},
): Promise<{ readonly clients: AwsClients; readonly server: WireServer }> {
  const server = await startWireServer(answer);
  const clients = createClients(
    {
      region: WIRE_REGION,
      endpoint: endpoint ?? server.endpoint,
      credentials: { accessKeyId: 'AK', secretAccessKey: 's' },
      limits,
    },
    { observer: { onCall } },
  );
  onTestFinished(async () => {
    clients.destroy();
    await server[Symbol.asyncDispose]();
  });
  return { clients, server };
}
