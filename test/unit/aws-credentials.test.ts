import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { startWireServer } from '../fakes/wire-server.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';
import { ec2Answer, groupsAnswer, recordsAnswer } from '../fakes/wire-answers.ts';
import { temporaryDirectory } from '../tools.ts';

const never = new AbortController().signal;
const ROLES = 'GET /latest/meta-data/iam/security-credentials/';

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What metadata says to who asks for the role and its credentials. */
function metadataAnswer({ action }: WireRequest): WireAnswer {
  if (action === 'PUT /latest/api/token') return { body: 'token' };
  if (action === ROLES) return { body: 'role' };
  return {
    body: JSON.stringify({
      Code: 'Success',
      Type: 'AWS-HMAC',
      AccessKeyId: 'AKIAROLE',
      SecretAccessKey: 's',
      Token: 't',
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      LastUpdated: new Date().toISOString(),
    }),
  };
}

async function world(metadata: (request: WireRequest, earlier: number) => WireAnswer) {
  const home = await temporaryDirectory();
  const imds = await startWireServer(metadata);
  const aws = await startWireServer(({ service }) => {
    if (service === 'ec2') return ec2Answer([]);
    return service === 'autoscaling' ? groupsAnswer([]) : recordsAnswer([]);
  });
  vi.stubEnv('HOME', home.path);
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', imds.endpoint);
  vi.stubEnv('AWS_ENDPOINT_URL', aws.endpoint);
  const clients = createClients({ region: 'eu-central-1' }, { observer: { onCall: () => undefined } });
  onTestFinished(async () => {
    clients.destroy();
    await aws[Symbol.asyncDispose]();
    await imds[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });
  return { clients, imds, aws };
}

describe('with nothing configured but the addresses', () => {
  test('the role of the instance signs every call, and is asked for once', async () => {
    const { clients, imds, aws } = await world(metadataAnswer);
    await clients.ec2('eu-central-1').describeInstances({}, never);
    await clients.autoScaling('eu-west-1').describeAutoScalingGroups({}, never);
    await clients.route53().listResourceRecordSets({ HostedZoneId: 'Z1' }, never);
    expect(aws.requests.map(({ accessKeyId }) => accessKeyId)).toEqual(['AKIAROLE', 'AKIAROLE', 'AKIAROLE']);
    expect(imds.requests.filter(({ action }) => action === ROLES)).toHaveLength(1);
  });

  test('a failure of metadata is not remembered', async () => {
    let broken = true;
    const { clients } = await world((request) =>
      broken ? { status: 500, body: '' } : metadataAnswer(request),
    );
    await expect(clients.ec2('eu-central-1').describeInstances({}, never)).rejects.toThrow();
    broken = false;
    await expect(clients.ec2('eu-central-1').describeInstances({}, never)).resolves.toBeDefined();
  });

  test('the environment comes before the role', async () => {
    const { clients, aws, imds } = await world(metadataAnswer);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENV');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's');
    await clients.ec2('eu-central-1').describeInstances({}, never);
    expect(aws.requests.map(({ accessKeyId }) => accessKeyId)).toEqual(['AKIAENV']);
    expect(imds.requests).toEqual([]);
  });
});
