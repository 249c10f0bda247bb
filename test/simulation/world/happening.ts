import type { Claim } from '../../../src/core/claim.ts';
import type { Ec2Evidence } from '../../../src/core/fleet.ts';
import type { RecordChange, RecordSet } from '../../../src/core/records.ts';

/** A member as a happening names it. */
export interface MemberName {
  readonly id: string;
  /** Instance id; empty where the member was never started. */
  readonly name: string;
  readonly learner: boolean;
}

/** The voters of a cluster at one moment. */
export interface Votes {
  readonly voters: number;
  /** The most that run, are not frozen, and are linked, both ways, with one of them: those that it could lead. */
  readonly healthy: number;
}

/** Data that were set aside. */
export interface AsideData {
  /** As cluster/member; empty: no etcd's. */
  readonly of: string;
  readonly readable: boolean;
  /** Whether they may be a voter's, by what is written beside them. */
  readonly voter: boolean;
}

/** How things are, truly, when an appliance stops its etcd for an upgrade. */
export interface StepFacts {
  /** Who holds the upgrade lock, as etcd knows it; null: nobody. */
  readonly lockHolder: string | null;
  readonly from: string;
  readonly to: string;
  /** Members, beside this one, that are away by a step. */
  readonly away: readonly string[];
  /** What of the preflight does not hold, that the appliance could know. */
  readonly amiss: readonly string[];
  /** The same, of what may have come a moment ago. */
  readonly unwell: readonly string[];
  readonly after: Votes;
}

/**
 * What happened in the world, as far as a law may be broken by it: plain facts, so that a history can be made by hand.
 * Machines are named by their instance id.
 */
export type Happening =
  /** A fault begins, and lasts so long; 0: a moment. */
  | { readonly kind: 'fault'; readonly lastsMs: number }
  /** The last fault has ended. */
  | { readonly kind: 'calm' }
  /** The fleet is as it should be, and nobody has anything left to do. */
  | { readonly kind: 'converged' }
  /** Etcd takes up to so long with its database when it is started again: while a member steps, nobody else changes names; ms. */
  | { readonly kind: 'large'; readonly stepMs: number }
  /** The clock went on; comes at least every few virtual seconds. */
  | { readonly kind: 'time' }
  /** EC2 has the instance no more, or does not run it; what EC2 would say if it told the truth. */
  | { readonly kind: 'ec2'; readonly id: string; readonly word: Ec2Evidence; readonly listed: boolean }
  /** The machine is told to go (by its group, by a spot notice), or its appliance to stop. */
  | { readonly kind: 'told'; readonly id: string; readonly to: 'go' | 'stop' }
  /** Whether the appliance's process runs. A new one knows nothing of what the last one knew. */
  | { readonly kind: 'appliance'; readonly id: string; readonly runs: boolean }
  /** AWS gave the appliance an answer on the fleet; null: none, or one without the asking instance. `desired`: of all groups. */
  | {
      readonly kind: 'fleet-answer';
      readonly to: string;
      readonly askedAtMs: number;
      readonly instances: readonly string[] | null;
      readonly desired: number | null;
    }
  /** EC2's word on instances, as given to the appliance; null: no answer. */
  | {
      readonly kind: 'evidence-answer';
      readonly to: string;
      readonly words: Readonly<Record<string, Ec2Evidence>> | null;
    }
  /** The appliance starts etcd with `--initial-cluster-state new`. */
  | { readonly kind: 'founding'; readonly id: string; readonly token: string }
  /** An etcd with no log of its own begins as this member. */
  | {
      readonly kind: 'member-begins';
      readonly id: string;
      readonly clusterId: string;
      readonly memberId: string;
      /** Whether the cluster has this member, or has removed it. */
      readonly listed: boolean;
    }
  /** The appliance stops its etcd. `served`: it answered clients, with a quorum, for as long as a call may take, and was not frozen. */
  | {
      readonly kind: 'etcd-stopped';
      readonly id: string;
      readonly clusterId: string;
      readonly served: boolean;
      /** It had not served in this run, and spoke to its peers: what it waited for was theirs to give. Of which member. */
      readonly waits?: MemberName;
      /** What it was in the middle of, and would have ended in its time: it reads its database, defragments it, or has another put in its place. */
      readonly busy?: 'starts' | 'restores' | 'defragments';
      /** For how long it has defragmented; ms. */
      readonly defragmentsMs?: number;
      /** Where it is stopped to be started otherwise, for an upgrade. */
      readonly step?: StepFacts;
    }
  /** The appliance has recorded that it begins a step. `before`: members that are to step before it. */
  | {
      readonly kind: 'step-began';
      readonly id: string;
      readonly leads: boolean;
      readonly before: readonly string[];
    }
  /** A member begins to run, beside those of its cluster that run these versions, its own among them. */
  | { readonly kind: 'members-run'; readonly id: string; readonly versions: readonly string[] }
  /** An etcd ended because of its version, or another's. */
  | { readonly kind: 'version-death'; readonly id: string; readonly words: string }
  /** Data on a machine's disk, in use or set aside, as cluster/member; `wiped`: an incident took what is missing. */
  | { readonly kind: 'disk'; readonly id: string; readonly holds: readonly string[]; readonly wiped: boolean }
  /** Data leave their use on a machine for the place beside it. `voter`: the formed cluster still counts on this member. */
  | {
      readonly kind: 'set-aside';
      readonly id: string;
      readonly memberId: string;
      readonly voter: boolean;
      readonly readable: boolean;
    }
  /** The appliance deletes data that were set aside. */
  | {
      readonly kind: 'discarded';
      readonly id: string;
      readonly gone: AsideData;
      /** What was set aside before them, and after them. */
      readonly older: readonly AsideData[];
      readonly newer: readonly AsideData[];
      /** What is in use; null: nothing. */
      readonly used: AsideData | null;
      /** When its appliance was last told that its etcd has no room here; ms ago. */
      readonly shortMs: number;
    }
  /** The appliance has taken the lock under which a member steps to another etcd. */
  | { readonly kind: 'step-lock'; readonly id: string }
  /** The appliance sends a removal of a member. */
  | {
      readonly kind: 'removal-sent';
      readonly by: string;
      readonly member: MemberName;
      /** Whether the sender's machine has that member's data; a volume may come back while the question is on its way. */
      readonly hasData: boolean;
      /** Who holds the housekeeping lock at this moment, as etcd knows it; null: nobody. */
      readonly lockHolder: string | null;
      /** Who holds the lock under which a member steps to another etcd; null, or left out: nobody. */
      readonly stepHolder?: string | null;
      readonly before: Votes;
      /** Were it taken at once. */
      readonly after: Votes;
    }
  /** The appliance asks for a promotion; what it knows is from its last answers. */
  | {
      readonly kind: 'promotion-sent';
      readonly by: string;
      readonly memberId: string;
      /** How old the last word of its own etcd is; null: the last ask was not answered, or never sent; ms. */
      readonly ownWordMs: number | null;
      /** Whether it stands beside its data that they may be a voter's. */
      readonly noted?: boolean;
      /** Entries between what its own etcd last said that it has applied, and what the leader last said that it has. */
      readonly behind: number | null;
    }
  /** The members of a cluster changed, as its leader applied it. */
  | {
      readonly kind: 'membership';
      readonly change: 'add' | 'promote' | 'remove';
      readonly by: string;
      readonly clusterId: string;
      readonly member: MemberName;
      readonly before: Votes;
      readonly after: Votes;
      /** Etcd takes no writes: nobody can say that he leaves, nor who is named. */
      readonly outOfSpace?: boolean;
      /** A majority of the voters had its data on disks that are there before it, and has not after it. */
      readonly losesMajority?: boolean;
      /** Learners, this one with it. */
      readonly learners: number;
      /** Of the member itself: whether its etcd answers now, and how many entries its log is behind the leader's. */
      readonly answers: boolean;
      readonly behind: number;
      /** Whether the machine whose member it is still has that member's data. */
      readonly hasData: boolean;
    }
  /** The appliance sends a batch to Route 53. `forms`: it makes the claim formed; `names`: records of ours but TXT change. */
  | {
      readonly kind: 'batch-sent';
      readonly by: string;
      readonly forms: boolean;
      readonly names: boolean;
      /** Values of names that stand before it and not after it. */
      readonly takes: readonly string[];
      /** The claim that it makes, where it makes one. */
      readonly claim: Pick<Claim, 'state' | 'founders' | 'lost'> | null;
      /** Who holds the housekeeping lock at this moment, as etcd knows it; null: nobody. */
      readonly lockHolder: string | null;
      /** Who holds the lock under which a member steps to another etcd; null, or left out: nobody. */
      readonly stepHolder?: string | null;
      /** It is the sender itself that comes or goes, under the upgrade lock that it holds. */
      readonly step?: boolean;
    }
  /** A batch was taken by Route 53. */
  | {
      readonly kind: 'records';
      readonly changes: readonly RecordChange[];
      readonly after: readonly RecordSet[];
    }
  /** A person deleted the claim, alone or with all records of the cluster. */
  | { readonly kind: 'released' }
  /** For so long, what is read of Route 53 is as it is now; ms. */
  | { readonly kind: 'lists-old'; readonly lastsMs: number }
  /** A person replaced a group by another. */
  | { readonly kind: 'regrouped' }
  /** A person wrote into the claim what nobody can read. */
  | { readonly kind: 'garbled' }
  /** Instances that are meant to stay and whose members serve, at this moment; comes at least every few virtual seconds. */
  | { readonly kind: 'serving'; readonly ids: readonly string[] }
  /** Clusters of the members whose appliances say that they are ready. */
  | { readonly kind: 'ready'; readonly clusters: readonly string[] }
  /** The name is free: a person released it, and of the machines that are meant to run, and answer, none knows its data as formed. */
  | { readonly kind: 'freed' }
  /** So many voters' disks are left of those that the formed cluster has. */
  | { readonly kind: 'voters-left'; readonly intact: number; readonly voters: number }
  /** A client's write was acknowledged; each key has one writer, that counts up. */
  | { readonly kind: 'written'; readonly key: string; readonly count: number }
  /** A linearizable read that began now, or after `since`; null: there is no such key. */
  | {
      readonly kind: 'read';
      readonly key: string;
      readonly count: number | null;
      readonly beganAtMs: number;
    }
  /** The appliance writes under a lock, and etcd took it though the lock was another's. */
  | { readonly kind: 'fence-passed'; readonly by: string; readonly holder: string | null }
  /** A process that was killed, or is frozen, made a call. */
  | { readonly kind: 'ran-on'; readonly id: string; readonly what: string }
  /** An error that no loop of the appliance expected, or that ended it. */
  | { readonly kind: 'threw'; readonly id: string; readonly what: string };

/** Is told what happens, at the moment when it happens. */
export type Hear = (happening: Happening, atMs: number) => void;
