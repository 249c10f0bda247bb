import type { EtcdExit } from '../../../src/core/local-data.ts';
import { minorOf } from '../../../src/core/versions.ts';
import { isOlder } from './links.ts';

/** How an etcd ends that is older than the cluster's version. */
export const TOO_OLD: Partial<EtcdExit> = {
  code: 1,
  saysTooOld: true,
  lastWords: 'invalid downgrade; server version is lower than determined cluster version',
};

/** How a member dies of the cluster's version that it has been told, by an entry or in a snapshot; null: it lives. */
export function whyTooOld(
  version: string,
  cluster: string | null,
  downgrade: string | null,
): Partial<EtcdExit> | null {
  if (cluster === null || downgrade !== null) return null;
  return isOlder(version, minorOf(cluster)) ? TOO_OLD : null;
}
