import { CloudError } from './cloud-error.ts';
import { findInstance, type World } from './world.ts';

/** The access key of whoever operates the cloud from outside. */
export const OPERATOR_ACCESS_KEY = 'AKIAOPERATOR';

const INSTANCE_KEY_PREFIX = 'ASIA';
const INSTANCE_ID_PREFIX = 'i-0';

/** The access key id that an instance's metadata gives: it names the instance. */
export function accessKeyOf(instanceId: string): string {
  return INSTANCE_KEY_PREFIX + instanceId.slice(INSTANCE_ID_PREFIX.length).toUpperCase();
}

export interface Caller {
  /** Id of the asking instance; null for an operator. */
  readonly asking: string | null;
  /** The region that it runs in; null for an operator. */
  readonly askingFrom: string | null;
  /** The region that is asked, as the signature's credential scope names it: what else a real endpoint's name says. */
  readonly scope: string;
}

/**
 * Who signed a request, by its access key, and for which region; signatures are not verified. Throws a 403 for nobody and
 * for strangers. The scope's form (KEY/DATE/REGION/SERVICE/aws4_request) is Signature Version 4's.
 */
export function identify(authorization: string | undefined, world: World): Caller {
  if (authorization === undefined) {
    throw new CloudError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
  }
  const [, key, scope = ''] = /Credential=([^/,\s]+)\/(?:[^/,\s]*\/([^/,\s]*))?/.exec(authorization) ?? [];
  if (key === OPERATOR_ACCESS_KEY) return { asking: null, askingFrom: null, scope };
  if (key?.startsWith(INSTANCE_KEY_PREFIX) === true) {
    const id = INSTANCE_ID_PREFIX + key.slice(INSTANCE_KEY_PREFIX.length).toLowerCase();
    const found = findInstance(world, id);
    if (found !== null) return { asking: id, askingFrom: found.region, scope };
  }
  throw new CloudError(
    'InvalidClientTokenId',
    `The security token included in the request is invalid: access key ${key ?? '(none)'} is neither ${OPERATOR_ACCESS_KEY} nor an instance's`,
    403,
  );
}
