/*
 * The numbers of design.md section 7 that are not configured, each with its reason. Milliseconds unless the name says
 * otherwise. Change them with a measurement.
 */

/** Room on the disk that a start needs: etcd makes its log in files of 64 MB, two at a time, and the database grows beside them. */
export const ROOM_FOR_ETCD_BYTES = 256 * 1024 * 1024;

/** How often the housekeeper looks at etcd: a dead member is seen before clients give up. */
export const LOOK_INTERVAL_MS = 2_000;

/** While AWS work is left over (a member silent, a learner waiting) AWS is asked this often. */
export const BUSY_AWS_INTERVAL_MS = 2_000;

/** Where asking AWS less and less often, while it does not answer, ends. */
export const AWS_BACKOFF_MAX_MS = 30_000;

/** A claim that forms and never becomes formed may be replaced after this time, doubling with each epoch. */
export const FORMING_LIMIT_MS = 3 * 60_000;

/** Where the forming limit stops doubling. */
export const FORMING_LIMIT_MAX_MS = 30 * 60_000;

/** What Route 53 lists so soon after a change may be from before it: it is asked once more when this is over. */
export const RECORDS_SETTLE_MS = 10_000;

/** Reading the claim while waiting without a hint: Route 53 takes 5 requests a second from the whole account. */
export const CLAIM_READ_INTERVAL_MS = 5_000;

/** The lowest instance id claims first, the others this much later if there is still no claim. */
export const CLAIM_TURN_MS = 1_000;

/** The leader marks the claim formed; where it did not, other voters do after this time. */
export const FORMED_TURN_MS = 3_000;

/** A learner without progress for this long is removed; a learner seeded by snapshot may publish only after 7 s. */
export const JOIN_LIMIT_MS = 60_000;

/**
 * A learner that says nothing, and whose instance AWS does not show, is removed after this time: it may just start, and an
 * answer of Auto Scaling may be some seconds older than its instance. One that ends is shown, and goes at once.
 */
export const UNLISTED_LEARNER_MS = 30_000;

/** Where Route 53 cannot be written for this long, members are promoted all the same: redundancy goes first. */
export const PROMOTE_WITHOUT_CLAIM_MS = 2 * 60_000;

/** Evidence that suffices for the voters of a claim whose groups exist no more. */
export const GONE_GROUP_EVIDENCE_MS = 5 * 60_000;

/** The maintenance lock: a dead housekeeper's replacement acts within 8 s. */
export const MAINTENANCE_LOCK_TTL_SECONDS = 5;

/**
 * The leader's appliance looks this often whether the lock that it asked for is free: after a power cut of the leader nobody
 * evicts, and nobody joins, until then. It asks for seconds: until the holder's next turn, or until its lease ends.
 */
export const ASKED_LOCK_INTERVAL_MS = 250;

/**
 * A holder whose own etcd has not let it read the lock for this long keeps it no more. It cannot keep house, and a member that
 * hears nothing of the log any more may still renew a lease: it passes that on to the leader.
 */
export const UNREAD_LOCK_MS = 10_000;

/** A leader whose view of AWS has been unknown for this long gives the housekeeping away. */
export const BLIND_LEADER_MS = 30_000;

/** A lock that was free this long may be taken by any voter's appliance with a known view of AWS. */
export const FREE_LOCK_MS = 10_000;

/** A voter whose applied index is within this many entries of the leader's is close to it. */
export const CLOSE_ENTRIES = 1_000;

/** A voter has to have been well for this long before it counts as ready. */
export const SETTLE_MS = 1_000;

/** A process that lives and does not answer a serializable read for this long has failed its liveness. */
export const LIVENESS_LIMIT_MS = 30_000;

/** A process that was started and says nothing to anybody for this long hangs; a log of gigabytes is read in minutes. */
export const START_LIMIT_MS = 15 * 60_000;

/**
 * A joiner that has put its snapshot in place serves within this time, or has lost its first publication, which etcd sends
 * again after 7 s. Measured with 3.7.3: about half the joins under writes lose it; started again, all served within 1.1 s.
 */
export const SEEDED_SILENCE_MS = 500;

/**
 * Before it serves, etcd's client port takes connections and answers none: an ask is given this long then, so that the
 * moment is not missed by a whole deadline.
 */
export const STARTING_ASK_MS = 400;

/**
 * What a learner is given for its snapshot beyond the join limit, and an etcd for its database beyond that of a step: bytes
 * per ms that a slow disk and network manage.
 */
export const SNAPSHOT_BYTES_PER_MS = 5_000;

/*
 * Members of several regions: a round trip between the furthest two regions of AWS takes about 250 ms, and what is right for
 * that is no harm to nearer ones, but for an election that takes longer.
 */

/** etcd's heartbeat and election timeout over several regions: its documentation asks for one round trip, and for ten. */
export const FAR_TIMING = { heartbeatMs: 300, electionMs: 3_000 } as const;

/** What a call to a member may take there: two linearizable answers in one, on a new connection, are eight round trips. */
export const FAR_CALL_MS = 3_000;

/** An appliance of another region answers within this time: a connection and an answer are two round trips, and some more. */
export const FAR_ASK_MS = 800;

/** `SEEDED_SILENCE_MS` there: a publication goes to the leader, to a majority and back. */
export const FAR_SEEDED_SILENCE_MS = 2_000;

/** Restart of a crashed etcd: at once, then this much, doubling, with full jitter. */
export const RESTART_BACKOFF_MS = 1_000;

/** Where the restart backoff stops doubling. */
export const RESTART_BACKOFF_MAX_MS = 30_000;

/** Health for this long resets the restart backoff. */
export const RESTART_RESET_MS = 60_000;

/** Starts in which etcd named its data unreadable before they count as damaged. */
export const DAMAGED_STARTS = 2;

/** TTL of names, as the Python original had it; seconds. */
export const NAME_TTL_SECONDS = 60;

/** TTL of claim and marks; seconds. */
export const CLAIM_TTL_SECONDS = 5;

/** etcd's ports; the usual ones, since the SRV records and security groups name them. */
export const CLIENT_PORT = 2379;
export const PEER_PORT = 2380;

/** How long an ordered stop of etcd may take before SIGKILL; it hands over leadership first. */
export const STOP_GRACE_MS = 30_000;

/** Metadata is looked at this often for a departure that comes before any signal; it asks for 5 s at least. */
export const METADATA_INTERVAL_MS = 5_000;

/** Between heartbeats of a lifecycle hook; its shortest timeout is 30 s. */
export const HEARTBEAT_INTERVAL_MS = 15_000;

/** What a departure may take from the order to stop on, hook or not: less than what systemd, Docker's users and EC2 usually give. */
export const LEAVE_GRACE_MS = 20_000;

/**
 * The same where nobody has told the process to stop yet: metadata said it first. A spot notice comes two minutes ahead, and
 * the order comes with the end.
 */
export const NOTICE_GRACE_MS = 100_000;

/** A learner that has entered the claim is promoted within this time, or its appliance does not mean to. */
export const PROMOTION_MS = 15_000;

/** How long a departure waits for the client records to forget it: the housekeeper writes them within a tick. */
export const LEAVE_DNS_MS = 6_000;

/** Lease of the key that says who leaves: it outlives a pause of the leaving appliance, not its instance; seconds. */
export const LEAVING_LEASE_SECONDS = 60;

/** The upgrade lock: a step outlives a pause of its appliance, and a dead one's is over within the minute. */
export const UPGRADE_LOCK_TTL_SECONDS = 60;

/**
 * Two voters that were more a moment ago wait this long for a third before one of them steps: without it, a step stops all
 * writes for as long as etcd takes to restart. A joiner needs seconds, and its instance less than this to boot.
 */
export const UPGRADE_PAIR_WAIT_MS = 60_000;

/**
 * While somebody steps, nobody else is named, and a step on a large database takes minutes: between two of them, who serves
 * and is not named yet, or is named and gone, gets this long to be put right. A housekeeper's look or two; where Route 53 is in the way, no step waits for it.
 */
export const UPGRADE_NAMES_WAIT_MS = 15_000;

/**
 * A downgrade that is under way, with nobody at work on it and the preflight barring its next step, is cancelled after this
 * long: etcd takes in nobody meanwhile. A restart is over by then; what lasts longer may last for days.
 */
export const UPGRADE_DOWNGRADE_IDLE_MS = 30_000;

/** A step of an upgrade is over within this time, and that for its database's size (`stepLimitMs`), or taken back. */
export const UPGRADE_STEP_LIMIT_MS = 2 * 60_000;

/** A member that stepped has to have been well for this long before the next one steps. */
export const UPGRADE_SETTLE_MS = 2_000;
