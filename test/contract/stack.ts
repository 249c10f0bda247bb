import { readFile } from 'node:fs/promises';
import { XMLParser } from 'fast-xml-parser';
import { TEMPLATE_FILE } from './cloudformation.ts';

/** The region in which stacks are made. */
export const REGION = 'eu-central-1';

const PLACE = { account: '123456789012', version: '2010-05-15' };
const reader = new XMLParser({ isArray: (name) => name === 'member', parseTagValue: false });

/** One call by AWS's query protocol, unsigned: moto takes the service from the header alone. Throws on a refusal. */
export async function query(
  url: string,
  service: string,
  parameters: Readonly<Record<string, string>>,
): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=AKIA/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(parameters).toString(),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${parameters['Action']} was answered with ${response.status}: ${text}`);
  return reader.parse(text);
}

/** What a stack came to. */
export interface Stack {
  readonly status: string;
  readonly outputs: ReadonlyMap<string, string>;
  /** Physical ids by logical name, of the resources that were made. */
  readonly resources: ReadonlyMap<string, string>;
}

interface StackAnswer {
  readonly DescribeStacksResponse: {
    readonly DescribeStacksResult: {
      readonly Stacks: {
        readonly member: readonly [
          {
            readonly StackStatus: string;
            readonly Outputs: {
              readonly member: readonly { readonly OutputKey: string; readonly OutputValue: string }[];
            };
          },
        ];
      };
    };
  };
}

interface ResourcesAnswer {
  readonly DescribeStackResourcesResponse: {
    readonly DescribeStackResourcesResult: {
      readonly StackResources: {
        readonly member: readonly {
          readonly LogicalResourceId?: string;
          readonly PhysicalResourceId?: string;
        }[];
      };
    };
  };
}

/** Creates a stack of the template on moto, and says what became of it. */
export async function createStack(
  url: string,
  name: string,
  parameters: Readonly<Record<string, string>>,
): Promise<Stack> {
  const given = Object.entries(parameters).flatMap(([key, value], index) => [
    [`Parameters.member.${index + 1}.ParameterKey`, key],
    [`Parameters.member.${index + 1}.ParameterValue`, value],
  ]);
  const { version: Version } = PLACE;
  const about = { Version, StackName: name };
  await query(url, 'cloudformation', {
    Action: 'CreateStack',
    ...about,
    TemplateBody: await readFile(TEMPLATE_FILE, 'utf8'),
    'Capabilities.member.1': 'CAPABILITY_IAM',
    ...Object.fromEntries(given),
  });
  const stacks = (await query(url, 'cloudformation', { Action: 'DescribeStacks', ...about })) as StackAnswer;
  const [stack] = stacks.DescribeStacksResponse.DescribeStacksResult.Stacks.member;
  const described = (await query(url, 'cloudformation', {
    Action: 'DescribeStackResources',
    ...about,
  })) as ResourcesAnswer;
  const resources = described.DescribeStackResourcesResponse.DescribeStackResourcesResult.StackResources;
  return {
    status: stack.StackStatus,
    outputs: new Map(stack.Outputs.member.map((it) => [it.OutputKey, it.OutputValue])),
    resources: new Map(
      resources.member.flatMap(({ LogicalResourceId, PhysicalResourceId }) =>
        LogicalResourceId === undefined ? [] : [[LogicalResourceId, PhysicalResourceId ?? '']],
      ),
    ),
  };
}
