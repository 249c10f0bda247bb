import type { Known } from '../../../src/core/known.ts';
import type { AdminOutcome } from '../../../src/daemon/ports.ts';
import { refusalOf } from '../../../src/etcd/refusals.ts';
import { calm } from '../../etcd-lab.ts';
import type { EtcdSubject } from './subject.ts';

/** A lock from its lease to its end, with a fence that holds and one that is broken. */
export async function lock({ admin }: EtcdSubject, endpoint: string, key: string): Promise<string> {
  const lease = await admin.grantLease(endpoint, 30, calm);
  if (!lease.known) return classOf(lease);
  const made = await admin.createKey(endpoint, `${key}/lock`, 'me', lease.value, calm);
  const again = await admin.createKey(endpoint, `${key}/lock`, 'you', lease.value, calm);
  const createRevision = made.known ? (made.value?.createRevision ?? '') : '';
  const fence = { key: `${key}/lock`, createRevision };
  const broken = { key: `${key}/lock`, createRevision: '1' };
  const told = [made, again, await admin.keepAlive(endpoint, lease.value, calm)];
  told.push(await admin.put(endpoint, key, 'fenced', { fence }, calm));
  told.push(await admin.put(endpoint, key, 'late', { fence: broken }, calm));
  told.push(await admin.revokeLease(endpoint, lease.value, calm));
  told.push(await admin.revokeLease(endpoint, lease.value, calm));
  told.push(await admin.put(endpoint, key, 'late', { leaseId: lease.value }, calm));
  told.push(await admin.read(endpoint, `${key}/lock`, { serializable: false }, calm));
  return told.map(classOf).join(' ');
}

/** A key of a lease that nobody renews. */
export async function expire(subject: EtcdSubject, endpoint: string, key: string): Promise<string> {
  const { admin } = subject;
  // etcd makes it two seconds.
  const lease = await admin.grantLease(endpoint, 1, calm);
  if (!lease.known) return classOf(lease);
  const told: Known<unknown>[] = [await admin.createKey(endpoint, `${key}/short`, 'me', lease.value, calm)];
  await subject.pass(1_200);
  told.push(await admin.read(endpoint, `${key}/short`, { serializable: false }, calm));
  await subject.pass(2_300);
  told.push(await admin.read(endpoint, `${key}/short`, { serializable: false }, calm));
  told.push(await admin.keepAlive(endpoint, lease.value, calm));
  return told.map(classOf).join(' ');
}

/** What an answer says, or the class of its refusal. */
export function classOf(fact: Known<unknown>): string {
  if (!fact.known) return refusalOf(new Error(fact.reason)).code;
  return JSON.stringify(fact.value);
}

/** The class of an outcome. */
export function outcomeOf(outcome: AdminOutcome): string {
  return outcome.ok ? 'ok' : outcome.code;
}
