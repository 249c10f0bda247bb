import { type Known, known, unknown } from '../core/known.ts';
import type { MemberVersions } from '../core/members.ts';
import { describeError } from '../errors.ts';
import { askHttp, fieldsOf } from './http.ts';
import { compareVersions } from './releases.ts';

/**
 * The versions of the member at a client URL. GET /version says them on every minor, and a member that knows downgrades
 * (3.6 on) says in its status, by the JSON gateway of the same port, whether one is under way: etcd3's protocol is older.
 * Both are local to the member, so they are told without quorum. Never /health: on 3.4 it writes to the log.
 */
export async function askVersions(
  endpoint: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<Known<MemberVersions>> {
  try {
    const { server, cluster, storage } = readVersions(
      await fieldsAt('GET', `${endpoint}/version`, limitMs, signal),
    );
    // A server that has not decided has no version to compare with: seconds later it has.
    if (!isVersion(cluster)) return unknown(`${endpoint} has not decided on a cluster version yet`);
    const downgradeTarget = knowsDowngrades(server)
      ? targetIn(await fieldsAt('POST', `${endpoint}/v3/maintenance/status`, limitMs, signal))
      : null;
    return known({ server, cluster, storage: isVersion(storage) ? storage : null, downgradeTarget });
  } catch (error) {
    signal.throwIfAborted();
    return unknown(`${endpoint} failed: ${describeError(error)}`);
  }
}

async function fieldsAt(
  method: 'GET' | 'POST',
  url: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await askHttp(method, url, limitMs, signal);
  if (status !== 200) throw new Error(`${url} answered ${status}: ${body.slice(0, 200)}`);
  return fieldsOf(body);
}

function readVersions(fields: Readonly<Record<string, unknown>>) {
  const { etcdserver: server, etcdcluster: cluster, storage } = fields;
  if (!isVersion(server))
    throw new Error('the answer names no version: something else than etcd answers there');
  return { server, cluster, storage };
}

/** Without a downgrade, 3.6 says `{}` and 3.7 nothing. */
function targetIn(status: Readonly<Record<string, unknown>>): string | null {
  if (typeof status['header'] !== 'object') throw new Error("the status is not etcd's: it names no member");
  const info = status['downgradeInfo'];
  const { enabled, targetVersion } = { ...(typeof info === 'object' ? info : null) } as Readonly<
    Record<string, unknown>
  >;
  if (enabled !== true) return null;
  return isVersion(targetVersion) ? targetVersion : 'unknown';
}

function knowsDowngrades(server: string): boolean {
  return compareVersions(server, '3.6.0') >= 0;
}

function isVersion(value: unknown): value is string {
  return typeof value === 'string' && /^\d+\.\d+\.\d+/.test(value);
}
