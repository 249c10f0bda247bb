import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { type AskedMember, type Look, withEndpoints } from './look.ts';
import type { Ports } from './ports.ts';

/**
 * Null where a voter follows this leader, and is followed through, both ways; else why it does not, as a clause (law 5). A
 * status says whom it heard last, which may be one that has handed over since; and who hears a leader need not be heard by it.
 * A linearizable read needs both: the leader answers that, after a quorum answered it.
 */
export async function whyNotFollowing(
  { admin }: Pick<Ports, 'admin'>,
  { name, status, endpoint }: Pick<AskedMember, 'name' | 'status' | 'endpoint'>,
  leaderId: string,
  signal: AbortSignal,
): Promise<string | null> {
  if (!status.known) return `${name} does not answer: ${status.reason}`;
  const { leader } = status.value;
  if (leader !== leaderId) return `${name} follows ${leader ?? 'nobody'}, and not ${leaderId}`;
  const why = await whyUnheard(admin, endpoint, signal);
  return why === null ? null : `${name} ${why}`;
}

/** Null where a linearizable read through a voter is answered: it hears its leader, and is heard; else why not, as a predicate. */
export async function whyUnheard(
  admin: Pick<Ports['admin'], 'read'>,
  endpoint: string,
  signal: AbortSignal,
): Promise<string | null> {
  const read = await admin.read(endpoint, UPGRADE_LOCK_KEY, { serializable: false }, signal);
  return read.known ? null : `has no answer of its leader: ${read.reason}`;
}

/**
 * Law 5: null where all other voters follow one leader, which is not the own etcd, or there are none: that they hear this one
 * does not say that they hear each other. Else why they do not, as a clause.
 */
export async function whyOthersDoNotFollow(
  { ports }: { readonly ports: Pick<Ports, 'admin' | 'self'> },
  seen: Look,
  signal: AbortSignal,
): Promise<string | null> {
  const members = withEndpoints(seen);
  const own = members.find((it) => it.name === ports.self.id);
  const others = members.filter((it) => it !== own && !it.learner);
  if (others.length === 0) return null;
  const leader = own?.status.known === true ? own.status.value.leader : null;
  if (leader === null) return 'nobody leads';
  if (leader === own?.id) return 'this member leads still';
  const whyNot = await Promise.all(
    others.map(async (it) => await whyNotFollowing(ports, it, leader, signal)),
  );
  return whyNot.find((it) => it !== null) ?? null;
}
