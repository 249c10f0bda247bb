import { decodeAtom, decodeTxt, decodeWords, encodeAtom, encodeTxt, encodeWords } from './txt.ts';
import type { RecordSet } from './records.ts';
import { CLAIM_TTL_SECONDS } from './numbers.ts';

/** An instance that founds the cluster. */
export interface Founder {
  readonly instanceId: string;
  readonly region: string;
  readonly address: string;
}

/** A voter as the claim lists it. */
export interface ClaimedVoter extends Omit<Founder, 'region'> {
  readonly memberId: string;
  /** Null where the fleet did not show it yet: another region's "not found" says nothing of it. */
  readonly region: string | null;
}

/**
 * The record by which exactly one cluster lives under a name (design.md section 4). It is changed by compare-and-swap
 * only, and never without the raw values that were read.
 */
export interface Claim {
  readonly stack: string;
  /** Counts births and reseeds under this name, from 1. */
  readonly epoch: number;
  /** etcd's initial-cluster token, random per epoch: a reused one brings a wiped majority back as an empty cluster. */
  readonly token: string;
  readonly state: 'forming' | 'formed' | 'reseeding';
  /** Whether an epoch under this name was ever formed. */
  readonly lived: boolean;
  /** Tokens of the last formed epochs, newest first. */
  readonly pastTokens: readonly string[];
  /** ARNs of the groups that it belongs to. */
  readonly groups: readonly string[];
  /** They stay until each has started or was removed. */
  readonly founders: readonly Founder[];
  /** Founders that marked and then lost their data: they must not start under this token again. */
  readonly lost: readonly string[];
  /** Never smaller than the voter set; empty until formed. */
  readonly voters: readonly ClaimedVoter[];
  /** Hex; null until formed. */
  readonly clusterId: string | null;
  /** The minor of etcd that its founders start; null: each decides for itself, or it is formed, and its members say. */
  readonly etcd: string | null;
}

/** What stands at the claim's name. */
export type ClaimReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'claim'; readonly claim: Claim; readonly record: RecordSet }
  /** Something stands there that this version does not understand: it is never replaced. */
  | { readonly kind: 'unreadable'; readonly record: RecordSet; readonly why: string };

/** A claim with the record set that it was read from: a swap must name its exact values. */
export interface StandingClaim {
  readonly claim: Claim;
  readonly record: RecordSet;
}

const FORMAT = '1';
const PAST_TOKENS = 5;

/** The record set of a claim. */
export function claimRecord(name: string, claim: Claim): RecordSet {
  return { name, type: 'TXT', ttl: CLAIM_TTL_SECONDS, values: [encodeTxt(encodeClaim(claim))] };
}

/** The claim as text, as an operator reads it with dig. */
export function encodeClaim(claim: Claim): string {
  const list = (items: readonly string[]): string => items.join(',');
  return encodeWords([
    ['v', FORMAT],
    ['stack', encodeAtom(claim.stack)],
    ['epoch', String(claim.epoch)],
    ['state', claim.state],
    ['lived', claim.lived ? 'yes' : 'no'],
    ['token', encodeAtom(claim.token)],
    ['cluster', encodeAtom(claim.clusterId ?? '')],
    ['etcd', claim.etcd ?? ''],
    ['past', list(claim.pastTokens.map(encodeAtom))],
    ['groups', list(claim.groups.map(encodeAtom))],
    ['founders', list(claim.founders.map((it) => place(it)))],
    ['lost', list(claim.lost.map(encodeAtom))],
    ['voters', list(claim.voters.map((it) => `${it.memberId}/${place(it)}`))],
  ]);
}

function place({ instanceId, region, address }: Omit<ClaimedVoter, 'memberId'>): string {
  return [instanceId, region ?? '', address].map(encodeAtom).join('/');
}

/** Reads what stands at the claim's name, out of the record sets at and under the cluster's name. */
export function readClaim(name: string, records: readonly RecordSet[]): ClaimReading {
  const record = records.find((it) => it.name === name && it.type === 'TXT');
  if (record === undefined) return { kind: 'none' };
  const [value, ...others] = record.values;
  if (value === undefined || others.length > 0) {
    return { kind: 'unreadable', record, why: `it has ${record.values.length} values instead of one` };
  }
  const claim = decodeClaim(value);
  return typeof claim === 'string'
    ? { kind: 'unreadable', record, why: claim }
    : { kind: 'claim', claim, record };
}

/** Reads a claim from a TXT value; a string says why it cannot be read. */
function decodeClaim(value: string): Claim | string {
  const text = decodeTxt(value);
  const words = text === null ? null : decodeWords(text);
  if (words === null) return 'it is not a list of words key=value';
  const format = words.get('v');
  if (format !== FORMAT)
    return `its format version is ${format ?? 'missing'}, this appliance knows ${FORMAT}`;
  const stack = decodeAtom(words.get('stack') ?? '');
  const state = words.get('state');
  const epoch = /^\d+$/.test(words.get('epoch') ?? '') ? Number(words.get('epoch')) : 0;
  const token = decodeAtom(words.get('token') ?? '');
  const founders = listOf(words.get('founders'), readFounder);
  const voters = listOf(words.get('voters'), readVoter);
  const groups = listOf(words.get('groups'), decodeAtom);
  const lost = listOf(words.get('lost'), decodeAtom);
  const pastTokens = listOf(words.get('past'), decodeAtom);
  if (stack === null || stack === '' || token === null || token === '')
    return 'its stack or token is missing';
  if (state !== 'forming' && state !== 'formed' && state !== 'reseeding')
    return `its state is ${state ?? 'missing'}`;
  if (!Number.isSafeInteger(epoch) || epoch < 1) return 'its epoch is not a number';
  if (founders === null || voters === null || groups === null || lost === null || pastTokens === null)
    return 'one of its lists is malformed';
  const clusterId = decodeAtom(words.get('cluster') ?? '');
  if (clusterId === null || (state === 'formed' && clusterId === ''))
    return 'it is formed and names no cluster id';
  const etcd = words.get('etcd') ?? '';
  if (etcd !== '' && !/^\d+\.\d+$/.test(etcd)) return 'what its founders start is no minor of etcd';
  return {
    stack,
    epoch,
    token,
    state,
    lived: words.get('lived') === 'yes',
    pastTokens,
    groups,
    founders,
    lost,
    voters,
    clusterId: clusterId === '' ? null : clusterId,
    etcd: etcd === '' ? null : etcd,
  };
}

function listOf<T>(word: string | undefined, read: (item: string) => T | null): readonly T[] | null {
  if (word === undefined || word === '') return [];
  const items: T[] = [];
  for (const part of word.split(',')) {
    const item = read(part);
    if (item === null) return null;
    items.push(item);
  }
  return items;
}

function readPlace(item: string): Omit<ClaimedVoter, 'memberId'> | null {
  const [instanceId, region, address, ...more] = item.split('/').map(decodeAtom);
  if (!instanceId || region == null || !address || more.length > 0) return null;
  return { instanceId, region: region === '' ? null : region, address };
}

function readFounder(item: string): Founder | null {
  const found = readPlace(item);
  const region = found?.region ?? null;
  return found === null || region === null ? null : { ...found, region };
}

function readVoter(item: string): ClaimedVoter | null {
  const at = item.indexOf('/');
  const found = at < 0 ? null : readPlace(item.slice(at + 1));
  const memberId = item.slice(0, at);
  return found === null || !/^[0-9a-f]{16}$/.test(memberId) ? null : { memberId, ...found };
}

/**
 * The claim of a new birth. `before` is the claim that it replaces, if any: the epoch goes on, and tokens of formed
 * epochs are remembered. The founders are written in the order of their ids, so that every appliance's claim of the same
 * facts is the same text.
 */
export function foundingClaim(birth: {
  readonly stack: string;
  readonly token: string;
  readonly groups: readonly string[];
  readonly founders: readonly Founder[];
  /** The minor that they start; null, or left out: each decides for itself. */
  readonly etcd?: string | null;
  readonly before: Claim | null;
}): Claim {
  const { before } = birth;
  return {
    stack: birth.stack,
    epoch: (before?.epoch ?? 0) + 1,
    token: birth.token,
    state: 'forming',
    lived: false,
    pastTokens: before === null ? [] : tokensSoFar(before),
    groups: [...birth.groups].sort(),
    founders: [...birth.founders].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1)),
    lost: [],
    voters: [],
    clusterId: null,
    etcd: birth.etcd ?? null,
  };
}

/** Tokens of formed epochs, once `claim` is replaced. */
function tokensSoFar(claim: Claim): readonly string[] {
  const tokens = claim.state === 'forming' ? claim.pastTokens : [claim.token, ...claim.pastTokens];
  return tokens.slice(0, PAST_TOKENS);
}

/** The claim once its cluster serves. */
export function formedClaim(claim: Claim, clusterId: string, voters: readonly ClaimedVoter[]): Claim {
  return { ...claim, state: 'formed', lived: true, clusterId, etcd: null, voters: sortedVoters(voters) };
}

/** The claim with one more founder that lost its data. */
export function claimWithLost(claim: Claim, instanceId: string): Claim {
  return { ...claim, lost: [...new Set([...claim.lost, instanceId])].sort() };
}

/** The claim with a voter more, written before it is promoted. */
export function claimWithVoter(claim: Claim, voter: ClaimedVoter): Claim {
  const others = claim.voters.filter((it) => it.memberId !== voter.memberId);
  return { ...claim, voters: sortedVoters([...others, voter]) };
}

/** The claim with a group more, written before somebody joins from it. */
export function claimWithGroup(claim: Claim, arn: string): Claim {
  return { ...claim, groups: [...new Set([...claim.groups, arn])].sort() };
}

/** Region of a group's ARN, `arn:aws:autoscaling:<region>:…`; empty where it is no ARN. */
export function regionOfGroup(arn: string): string {
  return arn.split(':')[3] ?? '';
}

/**
 * The claim's groups in the regions of its voters, all of them where one voter's is not known. Who keeps house strikes no group
 * out of a region that the fleet does not show: one that was given up stays in the claim, and has nobody to be replaced.
 */
export function groupsWithVoters({ groups, voters }: Claim): readonly string[] {
  if (voters.some((it) => it.region === null)) return groups;
  return groups.filter((arn) => voters.some((it) => it.region === regionOfGroup(arn)));
}

/** By member id, so that the same set is the same text whoever writes it. */
export function sortedVoters(voters: readonly ClaimedVoter[]): readonly ClaimedVoter[] {
  return [...voters].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
}

/** How long a claim may stand forming before anyone may replace it; ms. It doubles with each epoch: no flapping. */
export function formingLimitMs(claim: Claim, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** (claim.epoch - 1));
}
