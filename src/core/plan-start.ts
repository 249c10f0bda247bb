import type { Claim } from './claim.ts';
import { readClaim } from './claim.ts';
import type { DataIdentity } from './local-data.ts';
import { namesOf } from './names.ts';
import { DAMAGED_STARTS } from './numbers.ts';
import { planBirth, planForming } from './plan-birth.ts';
import { planJoin } from './plan-join.ts';
import { ask, setAside, startData, wait } from './start-actions.ts';
import { reason } from './reason.ts';
import type { StartAction, StartObservation } from './start.ts';

/**
 * What an appliance without a running etcd does next (design.md, tables of sections 4 and 5). One step: after it, observe
 * again. With data of its own it looks whether they are still wanted; without, it is born, founds, or joins.
 */
export function planStart(seen: StartObservation): StartAction {
  const { identity } = seen.local;
  if (identity !== null && identity.register !== seen.register) {
    return {
      kind: 'halt',
      reason: reason(
        'register-moved',
        `these data belong to the claim at ${identity.register}, and ${seen.register} is configured: a name has one register; configure the first, or move the data away`,
      ),
    };
  }
  return seen.local.present ? planOwnData(seen, identity) : planWithoutData(seen);
}

/** Data are here: start them, set them aside, or keep them and wait. */
function planOwnData(seen: StartObservation, identity: DataIdentity | null): StartAction {
  if (!seen.zone.known) {
    // Unknown is not empty: data are started, never moved (law 4).
    return startData(
      'own-data-claim-unknown',
      `the claim is unknown (${seen.zone.reason}): data are started, not judged`,
    );
  }
  if (identity === null || identity.instanceId !== seen.self.id) {
    const whose =
      identity === null
        ? 'nobody says whose these data are'
        : `these data are those of ${identity.instanceId}`;
    return setAside('foreign-data', `${whose}, not of ${seen.self.id}`);
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
      return planDataBesideForming(identity, claim);
    case 'formed':
      return planDataOfFormed(seen, identity, claim);
  }
}

function planDataWithoutClaim(seen: StartObservation, identity: DataIdentity): StartAction {
  if (!identity.formed) {
    return setAside('never-born', `epoch ${identity.epoch} was never formed, and its claim is gone`);
  }
  return startOrReplace(seen, identity, 'there is no claim');
}

function planDataBesideForming(identity: DataIdentity, claim: Claim): StartAction {
  if (identity.token === claim.token) {
    return startData('own-data-forming', `founding epoch ${claim.epoch}`);
  }
  if (!identity.formed) {
    return setAside(
      'never-born',
      `epoch ${identity.epoch} was never formed, and epoch ${claim.epoch} is forming`,
    );
  }
  // Only an operator's release of a claim can lead here. Which of the two is meant to live is not for us to say.
  return wait(
    'data-beside-forming',
    `the data here are of formed epoch ${identity.epoch}, and the claim is forming epoch ${claim.epoch} without them; they stay untouched`,
  );
}

function planDataOfFormed(seen: StartObservation, identity: DataIdentity, claim: Claim): StartAction {
  const sameToken = identity.token === claim.token;
  if (!sameToken && !identity.formed) {
    return setAside('never-born', `epoch ${identity.epoch} was never formed, and epoch ${claim.epoch} lives`);
  }
  if (!sameToken && identity.clusterId !== claim.clusterId) {
    const own = identity.clusterId ?? 'unknown';
    return setAside(
      'other-cluster',
      `the data are of cluster ${own}, and ${claim.clusterId ?? 'unknown'} lives`,
    );
  }
  return startOrReplace(seen, identity, `epoch ${claim.epoch} is formed`);
}

/** Data of the cluster that is meant: start them, unless it says that this member is no longer wanted. */
function startOrReplace(seen: StartObservation, identity: DataIdentity, because: string): StartAction {
  const { quorum } = seen;
  if (quorum === undefined) return ask(['quorum']);
  const damaged = seen.damagedStarts >= DAMAGED_STARTS;
  if (quorum.kind === 'nobody') {
    const silent = `${because}, and no member answers`;
    return damaged
      ? startData('damaged-data-kept', `${silent}: damaged data are kept and tried again`)
      : startData('own-data-quorum-lost', `${silent}: these data may be what quorum needs`);
  }
  const { list } = quorum;
  if (identity.clusterId !== null && list.clusterId !== identity.clusterId) {
    // Only where there is no claim: another cluster answers at an address of the fleet.
    return startData(
      'own-data-no-claim',
      `${because}; cluster ${list.clusterId} answers, and the data are of ${identity.clusterId}`,
    );
  }
  const own = list.members.find((it) =>
    identity.memberId === null ? it.name === seen.self.id : it.id === identity.memberId,
  );
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

/** No data here: be born, found, or join, as the claim says. */
function planWithoutData(seen: StartObservation): StartAction {
  if (!seen.zone.known) return wait('claim-unknown', `the claim cannot be read: ${seen.zone.reason}`);
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
