/*
 * What a step to another minor of etcd has to know of a member's own data directory (the daemon's InspectPort tells it).
 */

/**
 * Requests of the v2 API in the data, other than etcd's own: with `wal-requests` in the log, or keys in the `store`, 3.6
 * does not start (on 3.4 before 3.4.29 every GET of /health writes such a request).
 */
export type V2Content = 'clean' | 'wal-requests' | 'store';

/** What a start of etcd would replay: the entries of the log that are younger than the newest raft snapshot. */
export interface LogReplay {
  /** Raft index of the snapshot that etcd would begin with; 0: none was taken yet. */
  readonly snapshotIndex: number;
  /** Raft index of the last whole entry in the log; 0: it has none. */
  readonly lastIndex: number;
  /**
   * Raft index of the youngest replayed entry that is written as 3.4 and 3.5 write etcd's own changes (v2 requests): 3.7
   * cannot read those, and dies. Null: there is none, so 3.7 starts on these data.
   */
  readonly lastV2Index: number | null;
}

/** Room on the disk that holds the data; bytes. */
export interface DiskRoom {
  /** What this user can still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}
