import { hostOf } from './urls.ts';

/** A member as etcd lists it. Ids are 16 hex digits, lower case, as etcdctl prints them with padding. */
export interface Member {
  readonly id: string;
  /** Empty until the member has published itself; a founding member has its name before it ever ran. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Empty until the member started once (design.md: "started" is this, not the name). */
  readonly clientUrls: readonly string[];
  readonly learner: boolean;
}

/** A member list, and who answered. */
export interface MemberList {
  readonly clusterId: string;
  /** The member that answered. */
  readonly answeredBy: string;
  readonly members: readonly Member[];
}

/** What one member says about itself (Maintenance.Status). Indexes fit a double up to 2^53; etcd's never get there. */
export interface MemberStatus {
  readonly clusterId: string;
  readonly memberId: string;
  /** Binary version, as 3.5.35. */
  readonly version: string;
  /** Member id of the leader; null when there is none. */
  readonly leader: string | null;
  readonly raftIndex: number;
  readonly raftAppliedIndex: number;
  readonly raftTerm: number;
  readonly learner: boolean;
  readonly dbSizeBytes: number;
  readonly errors: readonly string[];
}

/** The versions of a member and of its cluster, as the member knows them (GET /version). */
export interface MemberVersions {
  /** Of the binary that runs, as 3.6.16. */
  readonly server: string;
  /** That the cluster runs at, as 3.6.0: the least of its members' minors, with up to 5.5 s of delay. */
  readonly cluster: string;
  /** Of the database's schema, as 3.6.0; null before 3.6. A new member says 3.5.0 for its first seconds. */
  readonly storage: string | null;
  /** Version that a downgrade under way leads to, as 3.5.0; null: none is under way, or the server is older than 3.6. */
  readonly downgradeTarget: string | null;
}

/** An alarm that stands until it is disarmed. */
export interface MemberAlarm {
  readonly memberId: string;
  /** etcd's own word: NOSPACE, CORRUPT. */
  readonly alarm: string;
}

/** Whether the member published its client URLs at least once. It tells nothing about whether it lives now. */
export function isStarted(member: Member): boolean {
  return member.clientUrls.length > 0;
}

/** Whether the member says that the cluster is out of space (alarm NOSPACE): it takes no writes until that is disarmed. */
export function isOutOfSpace(status: MemberStatus): boolean {
  return status.errors.some((it) => it.includes('NOSPACE'));
}

/** The alarms that a member names in its status: of the whole cluster, as far as it has heard. No entry in the log, as to list them is. */
export function alarmsOf(status: MemberStatus): readonly MemberAlarm[] {
  return status.errors.flatMap((it) => {
    const alarm = /\balarm:\s*(\w+)/.exec(it)?.[1];
    const id = /\bmemberID:\s*(\d+)/.exec(it)?.[1];
    const memberId = id === undefined ? '' : BigInt(id).toString(16).padStart(16, '0');
    return alarm === undefined ? [] : [{ memberId, alarm }];
  });
}

/** The host of its first peer URL: where it runs, whether it ever did or not. Empty where it has none. */
export function addressOf(member: Member): string {
  return hostOf(member.peerUrls[0] ?? '');
}

/** Votes needed among `voters` voters. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** The voters of a member list. */
export function votersOf(members: readonly Member[]): readonly Member[] {
  return members.filter((member) => !member.learner);
}
