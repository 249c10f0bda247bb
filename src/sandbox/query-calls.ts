import type { CallContext, QueryAction, RegionContext } from './api.ts';
import { AUTO_SCALING_ACTIONS } from './auto-scaling.ts';
import type { Call } from './call.ts';
import { notSimulated, type CloudError } from './cloud-error.ts';
import { EC2_ACTIONS } from './ec2.ts';
import { queryParams, xmlDocument } from './wire-query.ts';
import { inRegion } from './world.ts';

const REQUEST_ID = '00000000-0000-4000-8000-000000000000';
const EC2_NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const AUTO_SCALING_NAMESPACE = 'http://autoscaling.amazonaws.com/doc/2011-01-01/';

/** The API versions that the SDK's clients speak, and whose they are. */
const SERVICES: Readonly<Record<string, 'ec2' | 'autoscaling'>> = {
  '2016-11-15': 'ec2',
  '2011-01-01': 'autoscaling',
};

function ec2Failure(error: CloudError): string {
  const body = `<Response><Errors><Error><Code>${error.code}</Code><Message>`;
  const escaped = error.message.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}${escaped}</Message></Error></Errors><RequestID>${REQUEST_ID}</RequestID></Response>`;
}

function queryFailure(error: CloudError): string {
  return xmlDocument('ErrorResponse', AUTO_SCALING_NAMESPACE, {
    Error: { Type: error.status >= 500 ? 'Receiver' : 'Sender', Code: error.code, Message: error.message },
    RequestId: REQUEST_ID,
  });
}

function unknown(what: string): QueryAction {
  return {
    changes: false,
    run: () => {
      throw notSimulated(what);
    },
  };
}

/** What the region sees that the request was signed for. A region that was not asked for at the start is not there. */
function contextOf({ parts, world, show, asking, scope }: CallContext): RegionContext {
  const region = parts.regions.get(scope);
  if (region === undefined) {
    throw notSimulated(`the region ${scope}, only ${[...parts.regions.keys()].join(' and ')}`);
  }
  return { region, world: inRegion(world, scope), show, asking };
}

/** A query request (EC2, Auto Scaling): a form with Action and Version. Unknown ones become calls that answer 501. */
export function queryCall(body: string): Call {
  const params = queryParams(body);
  const action = params.text('Action') ?? '';
  const version = params.text('Version') ?? '';
  const service = SERVICES[version] ?? 'ec2';
  const table = service === 'ec2' ? EC2_ACTIONS : AUTO_SCALING_ACTIONS;
  const known = SERVICES[version] !== undefined && Object.hasOwn(table, action) ? table[action] : undefined;
  const { changes, run } = known ?? unknown(`action ${action} of API version ${version}`);
  return {
    service,
    action,
    changes,
    run(context) {
      const result = run(params, contextOf(context));
      const content =
        service === 'ec2'
          ? { requestId: REQUEST_ID, ...result }
          : { [`${action}Result`]: result, ResponseMetadata: { RequestId: REQUEST_ID } };
      const namespace = service === 'ec2' ? EC2_NAMESPACE : AUTO_SCALING_NAMESPACE;
      return { status: 200, body: xmlDocument(`${action}Response`, namespace, content) };
    },
    fail: (error) => ({
      status: error.status,
      body: service === 'ec2' ? ec2Failure(error) : queryFailure(error),
    }),
  };
}
