import type { Claim } from '../../../src/core/claim.ts';
import { claimReading } from '../world/claim.ts';
import type { LawCheck } from './law.ts';

/** Law 1: a birth has more than half of what the groups want for its founders, and is formed while half of those have their data. */
export const bornOfMajority: LawCheck = {
  law: 1,
  check: 'born-of-majority',
  watch: (report) => {
    /** By asker: how many instances the groups want, as AWS last told it. */
    const desired = new Map<string, number>();
    return (it) => {
      if (it.kind === 'fleet-answer' && it.desired !== null) desired.set(it.to, it.desired);
      if (it.kind !== 'batch-sent' || it.claim === null) return;
      const { state, founders, lost } = it.claim;
      const wanted = desired.get(it.by) ?? 0;
      if (state === 'forming' && lost.length === 0 && founders.length * 2 <= wanted)
        report(`${it.by} claims with ${founders.length} founders, and the group wants ${wanted}`);
      if (it.forms && founders.length > 0 && lost.length * 2 >= founders.length)
        report(`${it.by} forms a cluster, and ${lost.length} of ${founders.length} founders lost their data`);
    };
  },
};

/** Law 8: a claim follows from the one before it: nobody overwrites one that was not read. */
export const claimFollows: LawCheck = {
  law: 8,
  check: 'claim-follows',
  watch: (report) => {
    let last: Claim | null = null;
    /** Member ids that were struck out: no member ever comes back under its id. */
    const struck = new Set<string>();
    return (it) => {
      if (it.kind === 'released') last = null;
      if (it.kind !== 'records') return;
      const reading = claimReading(it.after);
      if (reading.kind !== 'claim') return;
      const { claim } = reading;
      const why = last === null ? null : whyNotFollowing(last, claim);
      if (why !== null) report(why);
      const back = claim.voters.find((one) => struck.has(one.memberId));
      if (back !== undefined) report(`${back.memberId} of ${back.instanceId} was struck out, and is back`);
      for (const one of last?.voters ?? []) if (!lists(claim, one.memberId)) struck.add(one.memberId);
      last = claim;
    };
  },
};

function lists({ voters }: Claim, memberId: string): boolean {
  return voters.some((it) => it.memberId === memberId);
}

function whyNotFollowing(before: Claim, after: Claim): string | null {
  const { epoch, token, state, lost } = after;
  if (epoch !== before.epoch)
    return epoch === before.epoch + 1 ? null : `epoch ${epoch} follows epoch ${before.epoch}`;
  if (token !== before.token) return `epoch ${epoch} has the token ${token}, and had ${before.token}`;
  if (state === 'forming' && before.state === 'formed') return `epoch ${epoch} was formed, and forms again`;
  if (state === 'forming' && before.lost.some((it) => !lost.includes(it)))
    return `epoch ${epoch} forgets who lost the data`;
  return null;
}

/** Law 8, and section 4: who is a voter is not struck out of the claim. */
export const claimComplete: LawCheck = {
  law: 8,
  check: 'claim-complete',
  watch: (report) => {
    /** Ids of the cluster that the claim is of. */
    const voters = new Set<string>();
    /** Whoever forms a cluster writes the voters as it last read them, and one may have gone since. */
    const removed = new Set<string>();
    let last: Claim | null = null;
    return (it) => {
      if (it.kind === 'membership' && it.change === 'promote') voters.add(it.member.id);
      if (it.kind === 'membership' && it.change === 'remove') {
        voters.delete(it.member.id);
        removed.add(it.member.id);
      }
      // What is written in its place was read before, and one may have become a voter since.
      if (it.kind === 'released') last = null;
      if (it.kind !== 'records') return;
      const reading = claimReading(it.after);
      if (reading.kind !== 'claim' || reading.claim.state !== 'formed') return;
      const { claim } = reading;
      if (last?.clusterId !== claim.clusterId)
        for (const one of claim.voters) if (!removed.has(one.memberId)) voters.add(one.memberId);
      const struck = (last?.clusterId === claim.clusterId ? last.voters : []).find(
        (one) => voters.has(one.memberId) && !lists(claim, one.memberId),
      );
      if (struck !== undefined) report(`${struck.instanceId} is struck out of the claim, and is a voter`);
      last = claim;
    };
  },
};
