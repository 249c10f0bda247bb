import { setImmediate } from 'node:timers/promises';
import type { CallObserver, ObservedCall } from './aws/caller.ts';
import type { AwsClients } from './aws/clients.ts';
import { createMetadata } from './aws/metadata.ts';
import type { Metadata } from './aws/metadata.ts';
import { findResidence, whoAmI } from './app-place.ts';
import type { Asking, Residence } from './app-place.ts';
import type { Config } from './config.ts';

/** What the appliance has when it knows where it is. */
export interface Arrived {
  readonly metadata: Metadata;
  readonly clients: AwsClients;
  readonly residence: Residence;
}

/** The first questions of a start, under way. */
export interface Arrival {
  /** Ends when AWS has been asked for the first time: what is loaded then holds no question up. */
  readonly asked: Promise<void>;
  readonly arrived: Promise<Arrived>;
  /** Tells of the calls that were made so far, and of all others as they end. */
  countBy(observer: CallObserver): void;
}

export interface ArrivalDeps extends Asking {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Asks metadata who this instance is, and AWS where it belongs. What that needs is little; most of the program is loaded
 * while the answers are waited for, since the first question decides how soon a cluster is whole.
 */
export function arrive(
  config: Config,
  { env, ...asking }: ArrivalDeps,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Arrival {
  const early: ObservedCall[] = [];
  let onCall: CallObserver['onCall'] = (call) => void early.push(call);
  const observer: CallObserver = { onCall: (call) => onCall(call) };
  const asked = Promise.withResolvers<void>();

  const find = async (): Promise<Arrived> => {
    const endpoint = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
    const metadata = createMetadata(endpoint === undefined ? {} : { endpoint }, { observer });
    const [me, { createClients }] = await Promise.all([
      whoAmI(config, metadata, asking, signal),
      import('./aws/clients.ts'),
    ]);
    // The request is written in the turn of the event loop that this one begins.
    const onRequest = (): void => void setImmediate().then(() => asked.resolve());
    const clients = createClients({ region: me.identity.region }, { observer, onRequest });
    cleanup.defer(() => clients.destroy());
    const residence = await findResidence(config, me, clients, asking, signal);
    return { metadata, clients, residence };
  };
  const arrived = find();
  // Who waits for the first question hears of an end without it, too: without credentials nothing is sent.
  arrived.then(
    () => asked.resolve(),
    (error: unknown) => asked.reject(error),
  );
  asked.promise.catch(() => undefined);
  return {
    asked: asked.promise,
    arrived,
    countBy: (counter) => {
      onCall = (call) => counter.onCall(call);
      early.splice(0).forEach(onCall);
    },
  };
}
