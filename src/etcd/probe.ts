import { describeError } from '../errors.ts';
import { clientUrl, peerUrl } from './flags.ts';
import { askHttp, fieldsOf, type HttpReply } from './http.ts';
import { hexId } from './ids.ts';

/** What speaks at an address on etcd's ports. The shape of the daemon's Probe. */
export type Probe =
  | { readonly kind: 'silent'; readonly reason: string }
  | { readonly kind: 'answers'; readonly clusterId: string | null; readonly memberId: string | null };

/** What of a member is asked, and what of its answer is of use. */
interface Reply {
  readonly status: number;
  readonly clusterId: string | null;
  readonly memberId: string | null;
  readonly body: string;
}

const LIMIT_MS = 1_000;

/**
 * Asks whether etcd speaks at an address, quorum or not: /members and /version of the peer port, /version and the status
 * of the client port, all at once, each for a second. Any answer that is etcd's counts. Never /health: on 3.4 it writes to the log.
 */
export async function probeEtcd(address: string, signal: AbortSignal): Promise<Probe> {
  const questions: readonly (readonly ['GET' | 'POST', string])[] = [
    ['GET', `${peerUrl(address)}/members`],
    ['GET', `${peerUrl(address)}/version`],
    ['GET', `${clientUrl(address)}/version`],
    // Local to the member, like the others, and the one that says who it is.
    ['POST', `${clientUrl(address)}/v3/maintenance/status`],
  ];
  const tries = await Promise.allSettled(
    questions.map(async ([method, url]) => replyOf(await askHttp(method, url, LIMIT_MS, signal))),
  );
  signal.throwIfAborted();
  const replies = tries.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  const speaking = replies.filter(isEtcd);
  if (speaking.length > 0) {
    return {
      kind: 'answers',
      clusterId: speaking.find((reply) => reply.clusterId !== null)?.clusterId ?? null,
      memberId: speaking.find((reply) => reply.memberId !== null)?.memberId ?? null,
    };
  }
  const failures = tries.flatMap((attempt) =>
    attempt.status === 'rejected' ? [describeError(attempt.reason)] : [],
  );
  const others = replies.map((reply) => `something answers ${reply.status} that is not etcd`);
  return { kind: 'silent', reason: [...new Set([...others, ...failures])].join(', ') };
}

/** etcd names its cluster in a header, its versions in /version, and its members with peer URLs. */
function isEtcd(reply: Reply): boolean {
  return reply.clusterId !== null || reply.body.includes('"etcdserver"') || reply.body.includes('"peerURLs"');
}

/** The ids are in a header of the peer port's answers (hex), and in the status (decimal). */
function replyOf({ status, headers, body }: HttpReply): Reply {
  const { header } = fieldsOf(body);
  const ids: Readonly<Record<string, unknown>> =
    typeof header === 'object' && header !== null ? { ...header } : {};
  return {
    status,
    clusterId: hexOrNull(headers['x-etcd-cluster-id']) ?? decimalOrNull(ids['cluster_id']),
    memberId: decimalOrNull(ids['member_id']),
    body,
  };
}

function hexOrNull(text: unknown): string | null {
  return typeof text === 'string' && /^[0-9a-f]{1,16}$/.test(text) ? text.padStart(16, '0') : null;
}

function decimalOrNull(text: unknown): string | null {
  if (typeof text !== 'string' || !/^[0-9]{1,20}$/.test(text)) return null;
  const id = hexId(text);
  return id.length === 16 ? id : null;
}
