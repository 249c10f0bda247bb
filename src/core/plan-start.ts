import { isWordOf } from './birth.ts';
import type { Claim } from './claim.ts';
import { readClaim } from './claim.ts';
import { isJoinable } from './fleet.ts';
import type { DataIdentity } from './local-data.ts';
import { namesOf } from './names.ts';
import { DAMAGED_STARTS, FORMING_LIMIT_MS } from './numbers.ts';
import { planBirth, planForming, planReplacement } from './plan-birth.ts';
import { planRoom } from './plan-obstacle.ts';
import { ownMember, planJoin, planJoinUnread } from './plan-join.ts';
import { ask, clearMark, setAside, startData, wait, whyNotLetIn } from './start-actions.ts';
import { registerMoved } from './local-data.ts';
import { nameServers } from './records.ts';
import type { QuorumAnswer, StartAction, StartObservation } from './start.ts';

/**
 * What an appliance without a running etcd does next (design.md, tables of sections 4 and 5). One step: after it, observe
 * again. With data of its own it looks whether they are still wanted; without, it is born, founds, or joins.
 */
export function planStart(seen: StartObservation): StartAction {
  const { identity } = seen.local;
  const moved = registerMoved(identity, seen.self.id, seen.register);
  if (moved !== null) return { kind: 'halt', reason: moved };
  const step = seen.local.present ? planOwnData(seen, identity) : planWithoutData(seen);
  return planRoom(seen, step) ?? step;
}

/** Data are here: start them, set them aside, or keep them and wait. */
function planOwnData(seen: StartObservation, identity: DataIdentity | null): StartAction {
  if (identity !== null && identity.instanceId !== seen.self.id) {
    // The disk alone says so. Started, the same member would vote from two places.
    return setAside('foreign-data', `these data are those of ${identity.instanceId}, not of ${seen.self.id}`);
  }
  if (!seen.zone.known) {
    // Unknown is not empty: data are started, never moved (law 4); nobody's data, which may be another's, neither.
    return identity === null
      ? wait('claim-unknown', `nobody says whose the data here are, and ${seen.zone.reason}`)
      : startData(
          'own-data-claim-unknown',
          `the claim is unknown (${seen.zone.reason}): data are started, not judged`,
        );
  }
  if (identity === null) {
    return setAside(
      'foreign-data',
      `nobody says whose these data are, and they may not be of ${seen.self.id}`,
    );
  }
  const reading = readClaim(namesOf(seen.cluster).claim, seen.zone.value);
  if (reading.kind === 'unreadable') {
    return startData(
      'own-data-claim-unknown',
      `the claim cannot be read (${reading.why}): data are started, not judged`,
    );
  }
  if (reading.kind === 'none') return planDataWithoutClaim(seen, identity);
  const { claim } = reading;
  if (claim.stack !== seen.self.stack) {
    return wait(
      'name-taken',
      `the name ${seen.cluster} is taken by stack ${claim.stack}; the data here stay as they are`,
    );
  }
  switch (claim.state) {
    case 'reseeding':
      return wait('reseeding', `epoch ${claim.epoch} is being seeded anew`);
    case 'forming':
      return planDataBesideForming(seen, identity, claim);
    case 'formed':
      return planDataOfFormed(seen, identity, claim);
  }
}

function planDataWithoutClaim(seen: StartObservation, identity: DataIdentity): StartAction {
  const { quorum } = seen;
  if (quorum === undefined) return ask(['quorum']);
  // A claim that was deleted may have been formed before: a cluster that serves with these data proves that they live.
  const serves = quorum.kind === 'answers' && quorum.list.clusterId === identity.clusterId;
  const refusal = whyNotLetIn(quorum);
  if (!identity.formed && refusal !== null)
    return wait('start-refused', `there is no claim, and whether these data live nobody says: ${refusal}`);
  if (!identity.formed && !serves) return planUnbornWithoutClaim(seen, identity);
  // For the start of formed data AWS is not asked, and nothing else says where the members are.
  const silence = seen.fleet === undefined ? 'nobody says whom to ask' : undefined;
  return startOrReplace(seen, identity, 'there is no claim', silence);
}

/** Data that are not noted as formed, of a claim that is gone, and of no cluster that is known to serve. */
function planUnbornWithoutClaim(seen: StartObservation, identity: DataIdentity): StartAction {
  const { fleet, births, claimStoodMs, self } = seen;
  const { epoch } = identity;
  // Without a claim nothing but the fleet says whom to ask, and these data may be a voter's of a cluster that serves.
  if (fleet === undefined) return ask(['fleet', 'quorum']);
  const gone = `the claim of epoch ${epoch} is gone`;
  if (!fleet.known)
    return wait('own-data-no-claim', `${gone}, and whom to ask whether it lives is unknown: ${fleet.reason}`);
  // Only a later epoch proves that one was never born: an empty answer may be a stale one.
  if (claimStoodMs < FORMING_LIMIT_MS)
    return wait('own-data-no-claim', `${gone}: waits whether it comes back`);
  // They are written with the claim's formed, or after it, and a name where some stand is given to nobody else.
  if (seen.zone.known && nameServers(seen.zone.value))
    return startData(
      'own-data-no-claim',
      `${gone}, and it was formed, as SRV records stand under ${seen.cluster}`,
    );
  // It may have been formed, and lost its quorum: who has that noted beside its data says so, and silence says nothing.
  if (births === undefined) return ask(['births']);
  const lived = holderOfFormed(births, identity);
  if (lived !== undefined)
    return startData(
      'own-data-no-claim',
      `${gone}, and it was formed, as is noted beside the data of ${lived}`,
    );
  const silent = fleet.value.instances.find((it) => {
    const answer = births.get(it.id);
    const said = answer?.known === true && isWordOf(answer.value, it, self.stack);
    return isJoinable(it) && it.id !== self.id && !said;
  });
  if (silent !== undefined)
    return wait('own-data-no-claim', `${gone}, and ${silent.id} does not say whether it was formed`);
  return setAside('never-born', `${gone}, it was never formed, and none of the fleet serves it`);
}

/** An instance that says of data of the same epoch that they are noted as formed. */
function holderOfFormed(
  births: NonNullable<StartObservation['births']>,
  { token }: DataIdentity,
): string | undefined {
  for (const [id, answer] of births)
    if (answer.known && answer.value.data?.formed === true && answer.value.data.token === token) return id;
  return undefined;
}

/**
 * The etcd of a founder runs and has no quorum: whether the claim that its data are of must be replaced. Any appliance may
 * do that, with data or not (design.md section 4): where every founder that is left runs its etcd, nobody else would. Where
 * there is no claim at all, its data are judged as before a start; they give way only to an etcd that was stopped.
 */
export function planFormingAnew(seen: StartObservation): StartAction {
  const { identity } = seen.local;
  const idle = wait('own-data-forming', 'its epoch is forming');
  if (identity === null || identity.formed || !seen.zone.known) return idle;
  const reading = readClaim(namesOf(seen.cluster).claim, seen.zone.value);
  if (reading.kind === 'none') return planDataWithoutClaim(seen, identity);
  if (reading.kind !== 'claim' || reading.claim.stack !== seen.self.stack) return idle;
  if (reading.claim.token !== identity.token) return idle;
  const step = planReplacement(seen, seen.zone.value, reading) ?? idle;
  return planRoom(seen, step) ?? step;
}

function planDataBesideForming(seen: StartObservation, identity: DataIdentity, claim: Claim): StartAction {
  if (identity.token === claim.token) {
    // The reading is older than what was written down beside the data: that epoch is formed.
    if (identity.formed) return startOrReplace(seen, identity, `epoch ${identity.epoch} is formed`);
    // Nothing of it was promised, and started again and again they would keep the epoch from forming, and from ending.
    if (seen.damagedStarts >= DAMAGED_STARTS)
      return setAside('damaged-data', `etcd could not read its data in ${seen.damagedStarts} starts`);
    // So would those of an etcd that was killed before it had written with whom it founds: it would wait for a leader for ever.
    if (seen.log === undefined) return ask(['log']);
    if (seen.log.known && seen.log.value.lastIndex === 0)
      return setAside('damaged-data', 'etcd was killed as it began, and its log has no entry');
    return startData('own-data-forming', `founding epoch ${claim.epoch}`);
  }
  if (!identity.formed && claim.epoch > identity.epoch) {
    return setAside(
      'never-born',
      `epoch ${identity.epoch} was never formed, and epoch ${claim.epoch} is forming`,
    );
  }
  if (!identity.formed) {
    // Only a later epoch proves that one was never born: this reading is older than these data, which may be a voter's.
    return startData(
      'own-data-forming',
      `the claim read is of epoch ${claim.epoch}, no later than epoch ${identity.epoch} of the data`,
    );
  }
  // Only an operator's release of a claim can lead here. Which of the two is meant to live is not for us to say.
  return wait(
    'data-beside-forming',
    `the data here are of formed epoch ${identity.epoch}, and the claim is forming epoch ${claim.epoch} without them; they stay untouched`,
  );
}

function planDataOfFormed(seen: StartObservation, identity: DataIdentity, claim: Claim): StartAction {
  // A claim that was written again, or for a cluster older than it, has a token of its own: the cluster id decides.
  const own =
    identity.clusterId === null ? identity.token === claim.token : identity.clusterId === claim.clusterId;
  const later = claim.epoch > identity.epoch;
  if (!own && !identity.formed && identity.token !== claim.token && later) {
    return setAside('never-born', `epoch ${identity.epoch} was never formed, and epoch ${claim.epoch} lives`);
  }
  if (!own) return planDataOfOther(seen, identity, claim);
  return startOrReplace(seen, identity, `epoch ${claim.epoch} is formed`);
}

/** Data that may be a voter's give way only to a claim whose cluster answers: the reading may be older than their epoch. */
function planDataOfOther(seen: StartObservation, identity: DataIdentity, claim: Claim): StartAction {
  const clusters = `the data are of cluster ${identity.clusterId ?? 'unknown'}, and the claim is of ${claim.clusterId ?? 'unknown'}`;
  if (identity.formed || claim.epoch <= identity.epoch) {
    if (seen.quorum === undefined) return ask(['quorum']);
    if (seen.quorum.kind === 'nobody') {
      const refusal = whyNotLetIn(seen.quorum);
      const silent = refusal === null ? 'which does not answer' : `which lets no appliance in (${refusal})`;
      return wait('data-beside-formed', `${clusters}, ${silent}: they stay`);
    }
  }
  return setAside('other-cluster', `${clusters}, which lives`);
}

/**
 * Data of the cluster that is meant: start them, unless it says that this member is no longer wanted. `silence` says what it
 * means where nobody answers, and nobody refuses.
 */
function startOrReplace(
  seen: StartObservation,
  identity: DataIdentity,
  because: string,
  silence = 'no member answers',
): StartAction {
  const { quorum } = seen;
  if (quorum === undefined) return ask(['quorum']);
  const damaged = seen.damagedStarts >= DAMAGED_STARTS;
  if (quorum.kind === 'nobody') return startUnheard(quorum, damaged, because, silence);
  const { list } = quorum;
  if (identity.clusterId !== null && list.clusterId !== identity.clusterId) {
    // Only where there is no claim: another cluster answers at an address of the fleet.
    return startData(
      'own-data-no-claim',
      `${because}; cluster ${list.clusterId} answers, and the data are of ${identity.clusterId}`,
    );
  }
  const own =
    identity.memberId === null
      ? ownMember(list, seen)
      : list.members.find((it) => it.id === identity.memberId);
  if (own === undefined) {
    return setAside(
      'removed-while-away',
      `member ${identity.memberId ?? seen.self.id} is no longer in the cluster`,
    );
  }
  if (damaged)
    return setAside('damaged-data', `etcd could not read its data in ${seen.damagedStarts} starts`);
  return startData('own-data', `${because}, and member ${own.id} is in it`);
}

/** Data of a cluster that gives no member list: nobody could judge them, so they are started. */
function startUnheard(
  quorum: QuorumAnswer & { readonly kind: 'nobody' },
  damaged: boolean,
  because: string,
  silence: string,
): StartAction {
  const refusal = whyNotLetIn(quorum);
  const silent = `${because}, and ${refusal === null ? silence : `no appliance is let in (${refusal})`}`;
  if (damaged) return startData('damaged-data-kept', `${silent}: damaged data are kept and tried again`);
  return refusal === null
    ? startData('own-data-quorum-lost', `${silent}: these data may be what quorum needs`)
    : startData('own-data-refused', `${silent}: these data are started, not judged`);
}

/** No data here: be born, found, or join, as the claim says. */
function planWithoutData(seen: StartObservation): StartAction {
  if (!seen.zone.known) return planJoinUnread(seen, seen.zone.reason);
  const reading = readClaim(namesOf(seen.cluster).claim, seen.zone.value);
  switch (reading.kind) {
    case 'unreadable':
      return wait(
        'claim-unreadable',
        `what stands at ${reading.record.name} is not understood: ${reading.why}`,
      );
    case 'none':
      return planBirth(seen, seen.zone.value, null);
    case 'claim': {
      const { claim, record } = reading;
      if (claim.stack !== seen.self.stack) {
        return wait('name-taken', `the name ${seen.cluster} is taken by stack ${claim.stack}`);
      }
      if (seen.local.mark?.started === true && seen.local.mark.token !== claim.token) {
        // Shown on /birth, it would count as something held, and block the next claim for ever.
        return clearMark(
          seen.freshNonce,
          `the claim is at epoch ${claim.epoch}, and the mark here is of another epoch`,
        );
      }
      switch (claim.state) {
        case 'reseeding':
          return wait('reseeding', `epoch ${claim.epoch} is being seeded anew`);
        case 'forming':
          return planForming(seen, seen.zone.value, { claim, record });
        case 'formed':
          return planJoin(seen, seen.zone.value, { claim, record });
      }
    }
  }
}
