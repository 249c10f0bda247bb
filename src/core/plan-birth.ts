import type { BirthAnswer, EtcdAtHand } from './birth.ts';
import { isWordOf } from './birth.ts';
import { birthVersion, largestShare } from './birth-version.ts';
import type { Claim, Founder, StandingClaim } from './claim.ts';
import { claimRecord, foundingClaim, formingLimitMs } from './claim.ts';
import type { Fleet, Instance } from './fleet.ts';
import { desiredSize, isJoinable } from './fleet.ts';
import type { Known } from './known.ts';
import { unusedNonce } from './local-data.ts';
import { markRecord, readMark } from './mark.ts';
import { quorumOf } from './members.ts';
import { hostName, namesOf } from './names.ts';
import { CLAIM_TURN_MS, FORMING_LIMIT_MAX_MS, FORMING_LIMIT_MS } from './numbers.ts';
import { hasLostMost, livingClaim } from './plan-claim.ts';
import { planFounding } from './plan-founding.ts';
import { reason } from './reason.ts';
import type { RecordChange, RecordSet } from './records.ts';
import { nameServers, swap } from './records.ts';
import { ask, clearMark, wait, whyNotLetIn, writeClaim } from './start-actions.ts';
import type { QuorumAnswer, StartAction, StartCode, StartObservation } from './start.ts';

/**
 * No claim stands, and no data are here (design.md section 4). A cluster that is older than the claim is adopted, one
 * that lost its quorum is waited for; only a fleet that says of itself that it holds nothing gives birth.
 */
export function planBirth(
  seen: StartObservation,
  records: readonly RecordSet[],
  replaced: StandingClaim | null,
): StartAction {
  if (replaced === null && seen.local.mark?.started === true) {
    return clearMark(seen.freshNonce, 'the claim of the mark here is gone, and so are its data');
  }
  const fleet = joinableFleet(seen);
  if ('kind' in fleet) return fleet;
  if (seen.probes === undefined) return ask(['probes']);
  // The etcds of the never-formed epoch that is replaced are no obstacle to the next one.
  const { formingClusterId: forming } = seen;
  const obstacles = seen.probes.filter((it) => forming === null || it.clusterId !== forming);
  if (obstacles.length > 0) return planBesideCluster(seen, fleet, replaced, obstacles);
  if (replaced === null && nameServers(records)) {
    return wait(
      'records-without-claim',
      `there is no claim, but SRV records stand under ${seen.cluster}: a cluster lived here and does not answer; nothing is born over it (if it is gone for good: etcd-appliance claim release ${seen.cluster})`,
    );
  }
  return planClaim(seen, fleet, records, replaced);
}

/** The fleet, if it is known and this instance may carry a member; else the step to take instead. */
export function joinableFleet(seen: StartObservation): Fleet | StartAction {
  if (seen.fleet === undefined) return ask(['fleet']);
  if (!seen.fleet.known) return wait('fleet-unknown', `the fleet is unknown: ${seen.fleet.reason}`);
  const own = seen.fleet.value.instances.find((it) => it.id === seen.self.id);
  if (own === undefined || !isJoinable(own)) {
    return wait(
      'not-joinable',
      `the group has this instance as ${own?.lifecycle ?? 'not its own'}: no member is meant to run here`,
    );
  }
  return seen.fleet.value;
}

/** Something speaks etcd in the fleet though no formed claim stands. */
function planBesideCluster(
  seen: StartObservation,
  fleet: Fleet,
  replaced: StandingClaim | null,
  obstacles: readonly { readonly address: string }[],
): StartAction {
  if (seen.quorum === undefined) return ask(['quorum']);
  if (seen.quorum.kind === 'nobody') {
    const where = obstacles.map((it) => it.address).join(', ');
    const refusal = whyNotLetIn(seen.quorum);
    if (refusal !== null)
      return wait('start-refused', `etcd at ${where} answers, and no appliance is let in: ${refusal}`);
    return wait(
      'etcd-without-quorum',
      `there is no claim, and etcd at ${where} answers without a quorum: it is waited for`,
    );
  }
  return adoptCluster(seen, fleet, seen.quorum, replaced);
}

/** Writes the claim of a cluster that is older than it, as formed, from its linearizable member list. */
function adoptCluster(
  seen: StartObservation,
  fleet: Fleet,
  quorum: QuorumAnswer & { readonly kind: 'answers' },
  replaced: StandingClaim | null,
): StartAction {
  const claim = livingClaim({
    stack: seen.self.stack,
    token: seen.freshToken,
    list: quorum.list,
    fleet,
    before: replaced?.claim ?? null,
  });
  return writeClaim(
    seen.cluster,
    replaced?.record ?? null,
    claim,
    reason(
      'cluster-without-claim',
      `cluster ${quorum.list.clusterId} answers with a quorum and has no claim: it is older than the claim, which is written for it`,
    ),
  );
}

/** An instance that may found, with the nonce of its mark; null: it makes its mark itself. */
interface Candidate {
  readonly founder: Founder;
  readonly nonce: string | null;
  readonly etcd: EtcdAtHand | null;
}

interface Candidates {
  /** Running, joinable, and said that they hold nothing: the own instance among them. */
  readonly empty: readonly Candidate[];
  readonly holders: readonly string[];
  /** Joinable instances that did not answer, with why. */
  readonly silent: readonly string[];
}

/** Claims the name, if the fleet is complete and empty, or a majority of it is and the bootstrap wait is over. */
export function planClaim(
  seen: StartObservation,
  fleet: Fleet,
  records: readonly RecordSet[],
  replaced: StandingClaim | null,
): StartAction {
  if (seen.births === undefined) return ask(['births']);
  const candidates = sortCandidates(seen, fleet, seen.births, replaced?.claim.token ?? null);
  const [holder] = candidates.holders;
  if (holder !== undefined) {
    return wait('instance-holds-data', `${holder} holds data: a cluster lived here, and it may come back`);
  }
  const desired = desiredSize(fleet);
  const complete = candidates.empty.length >= desired && candidates.silent.length === 0;
  const late = seen.waitedMs >= seen.bootstrapWaitMs;
  if (!complete && !(late && candidates.empty.length >= quorumOf(desired)))
    return wait('fleet-incomplete', incomplete(candidates, desired));
  const founding = chooseFounders(candidates.empty, late ? quorumOf(desired) : null);
  if ('why' in founding)
    return wait('birth-versions', `no etcd that a founder is to start is on all of them: ${founding.why}`);
  const ids = founding.founders.map((it) => it.founder.instanceId).sort();
  if (!ids.includes(seen.self.id))
    return wait(
      'birth-versions',
      `no etcd ${founding.etcd ?? ''} is here: ${ids.join(', ')} are born without this instance`,
    );
  const [first] = ids;
  const turnOver = seen.standing.code === 'not-my-turn' && seen.standing.forMs >= CLAIM_TURN_MS;
  if (first !== seen.self.id && !turnOver) return wait('not-my-turn', `${first ?? 'nobody'} claims first`);
  return claimName(seen, fleet, records, replaced, founding);
}

/** Who founds, and what all of them start; null: each decides for itself. */
interface Founding {
  readonly founders: readonly Candidate[];
  readonly etcd: string | null;
}

/**
 * All candidates, with the minor that they have in common. Where they have none, and `enough` is given, that many or more who
 * have one: an image that lacks it must not hold up a birth for ever, as little as one that lacks any etcd.
 */
function chooseFounders(
  candidates: readonly Candidate[],
  enough: number | null,
): Founding | { readonly why: string } {
  const equipped = candidates.map((it) => ({ ...it, instanceId: it.founder.instanceId }));
  const version = birthVersion(equipped);
  if (version.kind === 'chosen') return { founders: candidates, etcd: version.minor };
  if (enough === null) return { why: version.why };
  const share = largestShare(equipped);
  if (share === null || share.sharing.length < enough) return { why: version.why };
  return { founders: share.sharing, etcd: share.minor };
}

function incomplete(candidates: Candidates, desired: number): string {
  const silent = candidates.silent.length === 0 ? '' : `; waiting for ${candidates.silent.join(', ')}`;
  return `${candidates.empty.length} of ${desired} instances say that they hold nothing${silent}`;
}

/** Sorts the joinable instances by what they say of themselves. Silence is never "no data". */
function sortCandidates(
  seen: StartObservation,
  fleet: Fleet,
  births: ReadonlyMap<string, Known<BirthAnswer>>,
  deadToken: string | null,
): Candidates {
  const { id: instanceId, region, address } = seen.self;
  const empty: Candidate[] = [
    { founder: { instanceId, region, address }, nonce: ownNonce(seen), etcd: seen.etcd ?? null },
  ];
  // Data that nobody can name may be of a cluster that lived.
  const holds = seen.local.aside.some((it) => it.identity?.formed ?? true);
  const holders: string[] = holds ? [seen.self.id] : [];
  const silent: string[] = [];
  for (const instance of fleet.instances.filter((it) => isJoinable(it) && it.id !== seen.self.id)) {
    if (instance.state !== 'running' || instance.address === null) {
      silent.push(`${instance.id} (${instance.state ?? 'not shown by EC2'})`);
      continue;
    }
    const answer = births.get(instance.id);
    if (answer === undefined || !answer.known) {
      silent.push(`${instance.id} (${instance.address}: ${answer?.reason ?? 'not asked'})`);
    } else if (!isWordOf(answer.value, instance, seen.self.stack)) {
      silent.push(`${instance.id} (${instance.address}: ${answer.value.instanceId} answers there)`);
    } else if (holdsSomething(answer.value, deadToken)) {
      holders.push(instance.id);
    } else if (answer.value.etcd?.installed.length === 0) {
      silent.push(`${instance.id} (no etcd is installed there)`);
    } else {
      const founder = { instanceId: instance.id, region: instance.region, address: instance.address };
      empty.push({ founder, nonce: answer.value.nonce, etcd: answer.value.etcd });
    }
  }
  // Who said so before is asked on where AWS leaves it out of an answer that is whole by all signs.
  for (const [id, answer] of births) {
    const isListed = fleet.instances.some((it) => it.id === id);
    if (isListed || !answer.known || !isWordOf(answer.value, { id }, seen.self.stack)) continue;
    if (holdsSomething(answer.value, deadToken)) holders.push(id);
  }
  return { empty, holders, silent };
}

/** Whether an instance holds anything of a cluster; what belongs to the never-formed epoch that is replaced does not count. */
function holdsSomething(answer: BirthAnswer, deadToken: string | null): boolean {
  const dead = (it: { token: string | null; formed?: boolean }): boolean =>
    it.token !== null && it.token === deadToken && it.formed !== true;
  const data = answer.data !== null && !dead(answer.data);
  const mark = answer.mark !== null && answer.mark.started && !dead(answer.mark);
  return data || mark || answer.aside.some((it) => it.formed && !dead(it));
}

/**
 * The batch that claims: the claim, the own mark, and those of all founders that offered a nonce for it. So each of them
 * finds its mark beside the claim, and writes nothing itself: Route 53 takes five calls a second.
 */
function claimName(
  seen: StartObservation,
  fleet: Fleet,
  records: readonly RecordSet[],
  replaced: StandingClaim | null,
  { founders: candidates, etcd }: Founding,
): StartAction {
  const founders = candidates.map((it) => it.founder);
  const claim = foundingClaim({
    stack: seen.self.stack,
    token: seen.freshToken,
    groups: fleet.groups.map((it) => it.arn),
    founders,
    etcd,
    before: replaced?.claim ?? null,
  });
  const who = `${founders.length} of ${desiredSize(fleet)} instances`;
  const all = fleet.instances.filter(isJoinable).length;
  const complete = founders.length >= Math.max(desiredSize(fleet), all);
  const code: StartCode = replaced !== null ? 'forming-replaced' : complete ? 'birth' : 'birth-of-majority';
  const why = replaced === null ? '' : `epoch ${replaced.claim.epoch} was never formed; `;
  return {
    kind: 'register',
    changes: [
      ...swap(replaced?.record ?? null, claimRecord(namesOf(seen.cluster).claim, claim)),
      ...candidates.flatMap((it) => swapMark(seen.cluster, claim.token, it, records)),
    ],
    mark: { token: claim.token, nonce: ownNonce(seen), started: false },
    // Claim and mark are one batch: that it was taken says what reading it again would.
    readAgain: false,
    hint: {
      epoch: claim.epoch,
      addresses: founders.filter((it) => it.instanceId !== seen.self.id).map((it) => it.address),
    },
    reason: reason(
      code,
      `${why}${who} hold nothing: ${hostName(seen.cluster, seen.self.id)} claims epoch ${claim.epoch}`,
    ),
  };
}

/** The nonce that was offered, so that it fits whoever's claim stands in the end. */
function ownNonce({ local, freshNonce }: StartObservation): string {
  return unusedNonce(local.mark) ?? freshNonce;
}

/** A founder's mark in the place of its last one, if it offered a nonce. */
function swapMark(
  cluster: string,
  token: string,
  { founder: { instanceId }, nonce }: Candidate,
  records: readonly RecordSet[],
): readonly RecordChange[] {
  if (nonce === null) return [];
  const old = readMark(cluster, instanceId, records)?.record ?? null;
  return swap(old, markRecord(cluster, { instanceId, token, nonce }));
}

/** A claim is forming, and this instance has no data: found with it, wait for it, or replace it. */
export function planForming(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
): StartAction {
  const { claim } = standing;
  const step = claim.founders.some((it) => it.instanceId === seen.self.id)
    ? planFounding(seen, records, standing, 'found')
    : wait('forming-wait', `epoch ${claim.epoch} is forming without this instance`);
  return step.kind === 'wait' ? (planReplacement(seen, records, standing) ?? step) : step;
}

/**
 * Replaces a claim that never lived, when too few of its founders are left for a quorum, or when it has stood unchanged for
 * the forming limit; null where it must stand. Any appliance may do it, with data of that epoch or without; the
 * compare-and-swap decides between them and the founders' own `formed`.
 */
export function planReplacement(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
): StartAction | null {
  const { claim } = standing;
  if (claim.lived || claim.state !== 'forming') return null;
  if (seen.fleet === undefined) return ask(['fleet']);
  const overdue = seen.claimStoodMs >= formingLimitMs(claim, FORMING_LIMIT_MS, FORMING_LIMIT_MAX_MS);
  const gone = seen.fleet.known ? goneFounders(claim, seen.fleet.value) : [...claim.lost];
  const left = claim.founders.length - gone.length;
  if (!overdue && left >= quorumOf(claim.founders.length)) return null;
  if (!seen.fleet.known) return wait('fleet-unknown', `the fleet is unknown: ${seen.fleet.reason}`);
  if (seen.quorum === undefined) return ask(['quorum']);
  if (seen.quorum.kind === 'answers') {
    // A cluster of another id is older than the claim.
    if (seen.quorum.list.clusterId !== seen.formingClusterId)
      return adoptCluster(seen, seen.fleet.value, seen.quorum, standing);
    // With a quorum its own voters mark it formed, but for one whose founders lost their data: some of these are back.
    if (!hasLostMost(claim)) return null;
  }
  const refusal = whyNotLetIn(seen.quorum);
  // Whoever switched authentication on was served before, by founders who could not write that they are formed.
  if (refusal !== null)
    return wait('start-refused', `epoch ${claim.epoch} forms, and no appliance is let in: ${refusal}`);
  return planBirth(seen, records, standing);
}

/** Founders that will not come: lost their data, or the fleet no longer has them as joinable. */
export function goneFounders(claim: Claim, fleet: Fleet): readonly string[] {
  const comes = (instance: Instance | undefined): boolean =>
    instance !== undefined &&
    isJoinable(instance) &&
    instance.state !== 'shutting-down' &&
    instance.state !== 'terminated';
  return claim.founders
    .map((it) => it.instanceId)
    .filter((id) => claim.lost.includes(id) || !comes(fleet.instances.find((it) => it.id === id)));
}
