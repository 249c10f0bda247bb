import type { Change, Form, State } from './state.ts';
import { applyChange, emptyState } from './state.ts';

/** One entry of the log. Members share it: it never changes. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly change: Change;
  /** Whoever asked for it waits under this number; 0: nobody does. */
  readonly request: number;
  /** The instance whose call it was; empty: etcd's own. */
  readonly caller: string;
}

/** An entry that not every version of etcd can read: one of its own changes, or a request of the old API. */
export interface OddEntry {
  readonly index: number;
  readonly form: Form | 'request';
}

/** What etcd keeps in its directory. All that stands here is flushed before anybody hears of it. */
export interface EtcdFiles {
  readonly clusterId: string;
  readonly memberId: string;
  /** Damaged: etcd cannot read it. */
  unreadable: boolean;
  term: number;
  vote: string | null;
  commit: number;
  /** Where the snapshot ends, that stands for all entries up to there; 0: there is none. */
  snapshotIndex: number;
  snapshotTerm: number;
  /** What follows the snapshot, without a gap. */
  entries: Entry[];
  state: State;
  readonly appliedIndex: number;
  /** Where the newest snapshot ends that a start begins with: all that follows is replayed. 0: none was taken. */
  replayedFrom: number;
  /** Of what is replayed, in the order of the log. */
  odd: readonly OddEntry[];
  /** Version of the database's schema; null: older than 3.6, or not written yet. */
  storage: string | null;
  /** Version of the etcd that last ran on it; null: none has. */
  ranOn: string | null;
}

/** The directory of a member that has never run. */
export function createEtcdFiles(clusterId: string, memberId: string): EtcdFiles {
  return {
    clusterId,
    memberId,
    unreadable: false,
    term: 0,
    vote: null,
    commit: 0,
    snapshotIndex: 0,
    snapshotTerm: 0,
    entries: [],
    state: emptyState(),
    get appliedIndex() {
      return this.state.index;
    },
    replayedFrom: 0,
    odd: [],
    storage: null,
    ranOn: null,
  };
}

/** Begins the log of a founder as etcd does: the additions of all founders stand in it, committed. */
export function writeFounders(files: EtcdFiles, changes: readonly Change[]): void {
  files.term = 1;
  files.entries = changes.map((change, at) => ({ term: 1, index: at + 1, change, request: 0, caller: '' }));
  files.commit = changes.length;
  for (const change of changes) applyChange(files.state, change);
}

export function lastIndex(files: EtcdFiles): number {
  return files.snapshotIndex + files.entries.length;
}

/** Whether they hold anything that can be read: a log that was never begun holds nothing. */
export function isReadable(files: EtcdFiles): boolean {
  return !files.unreadable && lastIndex(files) > 0;
}

/** The term of an entry; 0 where there is none, or none any more. */
export function termAt(files: EtcdFiles, index: number): number {
  if (index === files.snapshotIndex) return files.snapshotTerm;
  return files.entries[index - files.snapshotIndex - 1]?.term ?? 0;
}

export function lastTerm(files: EtcdFiles): number {
  return termAt(files, lastIndex(files));
}

/** Whether `other`'s log is as new as this one, so that it may lead. */
export function isAsNew(other: EtcdFiles, files: EtcdFiles): boolean {
  const [theirs, ours] = [lastTerm(other), lastTerm(files)];
  return theirs > ours || (theirs === ours && lastIndex(other) >= lastIndex(files));
}

/** Writes entries to the end of the log. */
export function write(files: EtcdFiles, entries: readonly Entry[]): void {
  for (const it of entries) {
    files.entries.push(it);
    const form = formOf(it.change);
    if (form !== null) files.odd = [...files.odd, { index: it.index, form }];
  }
}

/** Takes all entries after this one out of the log. */
export function cutAfter(files: EtcdFiles, index: number): void {
  files.entries.length = index - files.snapshotIndex;
  files.odd = files.odd.filter((it) => it.index <= index);
}

/**
 * Takes a raft snapshot of what is applied. With its first one, etcd forgets the first entry, however many it keeps: who has
 * nothing is sent a snapshot from then on, and not the log (measured: test/torture/etcd-versions.test.ts). What the model
 * itself forgets is another matter (`compact`).
 */
export function takeSnapshot(files: EtcdFiles): void {
  files.replayedFrom = files.state.index;
  files.odd = files.odd.filter((it) => it.index > files.replayedFrom);
  if (files.snapshotIndex === 0) forgetUpTo(files, Math.min(1, files.state.index));
}

/** What a start has of the log: what follows the newest snapshot, so that nobody is sent what stands before it any more. */
export function beginWithSnapshot(files: EtcdFiles): void {
  if (files.replayedFrom > files.snapshotIndex) forgetUpTo(files, files.replayedFrom);
}

/** How a change is written, where not every version can read it. */
export function formOf(change: Change): OddEntry['form'] | null {
  if (change.kind === 'publish' || change.kind === 'version') return change.form;
  if (change.kind === 'downgrade') return 'v3';
  return change.kind === 'old-request' ? 'request' : null;
}

/** The entry after all that were applied; undefined where it is not committed. */
export function nextToApply(files: EtcdFiles): Entry | undefined {
  const { index } = files.state;
  return index < files.commit ? files.entries[index - files.snapshotIndex] : undefined;
}

/** Entries that are kept behind what was applied; real etcd keeps 5,000, and this way the tests meet snapshots. */
const KEPT = 40;
const COMPACTED_AT = 120;

/** Forgets old entries, in favour of a snapshot. */
export function compact(files: EtcdFiles): void {
  if (files.entries.length < COMPACTED_AT) return;
  const upTo = files.state.index - KEPT;
  if (upTo > files.snapshotIndex) forgetUpTo(files, upTo);
}

/** The log begins behind this entry from now on. */
function forgetUpTo(files: EtcdFiles, index: number): void {
  const term = termAt(files, index);
  files.entries = files.entries.slice(index - files.snapshotIndex);
  files.snapshotIndex = index;
  files.snapshotTerm = term;
}
