import { clientUrl } from '../../../src/core/urls.ts';
import { leaderOf } from './calls.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import { append } from './replication.ts';
import { ownForm } from './versions.ts';

/** From a leader's first word to the publication; ms. */
const SOON_MS = [5, 60] as const;
/** A publication that nothing came of is repeated after this; ms. */
const RETRY_MS = 7_000;
/** How often the first one of a member that was seeded by a snapshot is lost. */
const LOST_CHANCE = 0.5;

/** A member writes its name and client URL to the log once in each run, and answers no client before that is applied. */
export function publish(etcds: Etcds, node: EtcdNode): void {
  const { process } = node;
  if (process.serving || node.publishing !== null || node.doomed) return;
  if (leaderOf(etcds, node) === null) return;
  const isLost = process.seeded && etcds.random.chance(LOST_CHANCE);
  node.publishing = etcds.clock.after(etcds.random.int(...SOON_MS), () => {
    if (!isAwake(node)) {
      node.publishing = null;
      return;
    }
    const sent = isLost || propose(etcds, node);
    node.publishing = etcds.clock.after(sent ? RETRY_MS : 100, () => {
      node.publishing = null;
      if (isAwake(node)) publish(etcds, node);
    });
  });
}

function propose(etcds: Etcds, node: EtcdNode): boolean {
  const leader = leaderOf(etcds, node);
  if (leader === null) return false;
  const { process, files } = node;
  const request = etcds.nextRequest();
  node.waiters.set(request, () => {
    node.publishing?.();
    node.publishing = null;
    process.serving = true;
    process.servingSince = etcds.clock.now();
  });
  const change = {
    kind: 'publish',
    memberId: files.memberId,
    name: process.name,
    clientUrl: clientUrl(process.address),
    form: ownForm(process.version),
  } as const;
  append(etcds, leader, change, request, '');
  return true;
}
