import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogReplay } from '../core/inspection.ts';
import { names } from './layout.ts';
import { fields } from './protobuf.ts';

/*
 * Reads etcd's write-ahead log as far as one question needs it: what would a start replay? The files are those of
 * etcd's server/storage/wal on all of 3.4 to 3.7: frames of 8 bytes of length (the upper one tells the padding) and a
 * walpb.Record { type 1, crc 2, data 3 }, with zeros behind the last one. Checksums are etcd's business.
 */

/** Types of walpb.Record. */
const ENTRY = 2;
const STATE = 3;
const SNAPSHOT = 5;

const FRAME_BYTES = 8;
const CHUNK_BYTES = 1024 * 1024;
/** What of a frame tells it from another: the length, the checksum and the entry's index are at its beginning. */
const MARK_BYTES = 64;
/** etcd's largest entry is far below; what claims to be larger is no frame. */
const LONGEST_RECORD = 512 * 1024 * 1024;

/** Reads one log again and again, each time from where it stopped. */
export interface LogReader {
  /**
   * What a start of etcd on this directory would replay. etcd may run: it only appends. Throws where there is no log, or
   * where a record cannot be read, as may be while the last one is being written: ask again.
   *
   * `snapshotHint` is the index of the newest snapshot file, 0 where there is none: what is older need not be read.
   */
  read(snapshotHint: number, signal: AbortSignal): Promise<LogReplay>;
}

/** Where reading stopped: behind the last whole frame. */
interface Place {
  readonly file: string;
  readonly inode: number;
  readonly offset: number;
  /** The last frame's beginning and where it is: still so there, or this is another log, or etcd cut off its end. */
  readonly mark: { readonly offset: number; readonly bytes: Buffer };
}

/** A reader of the log in etcd's data directory. One call at a time. */
export function createLogReader(etcdDirectory: string): LogReader {
  const directory = join(etcdDirectory, 'member', 'wal');
  let kept: { readonly log: LogSummary; readonly place: Place } | null = null;
  const readFrom = async (files: readonly string[], from: typeof kept, signal: AbortSignal) => {
    kept = null;
    const log = from?.log ?? createLogSummary();
    let place = from?.place ?? null;
    for (const file of files) place = await readSegment(directory, file, place, log.add, signal);
    if (place !== null) kept = { log, place };
    return log.replay();
  };
  return {
    async read(snapshotHint, signal) {
      const files = (await names(directory)).filter((name) => name.endsWith('.wal'));
      if (files.length === 0) throw new Error(`${directory} holds no log`);
      if (kept !== null && (await stands(directory, kept.place)))
        return await readFrom(files.slice(files.indexOf(kept.place.file)), kept, signal);
      const begin = files.findLastIndex((name) => firstIndexOf(name) <= snapshotHint);
      const replay = await readFrom(files.slice(Math.max(0, begin)), null, signal);
      // etcd died between the file of a snapshot and its record: the file does not count, and all of the log does.
      return begin > 0 && replay.snapshotIndex < snapshotHint ? await readFrom(files, null, signal) : replay;
    },
  };
}

/** A file is named by its number and the index of the first entry that it may hold, 16 hex digits each. */
function firstIndexOf(name: string): number {
  return Number.parseInt(/^[0-9a-f]{16}-([0-9a-f]{16})\.wal$/.exec(name)?.[1] ?? '0', 16);
}

async function stands(directory: string, { file: name, inode, mark }: Place): Promise<boolean> {
  const file = await open(join(directory, name), 'r').catch(() => null);
  if (file === null) return false;
  try {
    const { buffer } = await file.read(Buffer.alloc(mark.bytes.length), 0, mark.bytes.length, mark.offset);
    return (await file.stat()).ino === inode && buffer.equals(mark.bytes);
  } finally {
    await file.close();
  }
}

async function readSegment(
  directory: string,
  name: string,
  before: Place | null,
  add: (record: Buffer) => void,
  signal: AbortSignal,
): Promise<Place | null> {
  const path = join(directory, name);
  const file = await open(path, 'r');
  try {
    const { ino: inode } = await file.stat();
    let place = before?.file === name && before.inode === inode ? before : null;
    let [offset, rest] = [place?.offset ?? 0, Buffer.alloc(0)];
    for (;;) {
      signal.throwIfAborted();
      const at = offset + rest.length;
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const taken = takeFrames(bytes, add);
      if (taken.last !== null) {
        const mark = {
          offset: offset + taken.last,
          bytes: Buffer.from(bytes.subarray(taken.last, taken.end).subarray(0, MARK_BYTES)),
        };
        place = { file: name, inode, offset: offset + taken.end, mark };
      }
      // The last frame of a file that is no longer than what was written may be on its way; the next file goes on.
      if (taken.zeros || bytesRead === 0) return place ?? before;
      offset += taken.end;
      rest = Buffer.from(bytes.subarray(taken.end));
    }
  } catch (error) {
    throw new Error(`${path} cannot be read as a log`, { cause: error });
  } finally {
    await file.close();
  }
}

interface Taken {
  /** Where the last whole frame begins; null: there is none. */
  readonly last: number | null;
  /** Where it ends. */
  readonly end: number;
  /** Zeros follow, which etcd keeps for later. */
  readonly zeros: boolean;
}

/** Hands out the records of the whole frames at the beginning. */
function takeFrames(bytes: Buffer, add: (record: Buffer) => void): Taken {
  let last: number | null = null;
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const upper = bytes[at + FRAME_BYTES - 1] ?? 0;
    const length = bytes.readUIntLE(at, 6) + (bytes[at + 6] ?? 0) * 2 ** 48;
    if (length === 0) return { last, end: at, zeros: true };
    if (length > LONGEST_RECORD) throw new Error(`a record of ${length} bytes`);
    const padding = upper >= 0x80 ? upper & 0x7 : 0;
    const end = at + FRAME_BYTES + length + padding;
    if (end > bytes.length) break;
    add(bytes.subarray(at + FRAME_BYTES, end - padding));
    last = at;
    at = end;
  }
  return { last, end: at, zeros: false };
}

interface LogSummary {
  add(record: Buffer): void;
  replay(): LogReplay;
}

/** Takes records in their order. */
function createLogSummary(): LogSummary {
  const snapshots: number[] = [];
  /** Of the entries that stand: one that comes again under an index takes the place of all from there on. */
  let v2: number[] = [];
  let lastIndex = 0;
  let commit = 0;
  const addEntry = (entry: Buffer): void => {
    const { index, isV2 } = readEntry(entry);
    if (index <= lastIndex) v2 = v2.filter((it) => it < index);
    if (isV2) v2.push(index);
    lastIndex = index;
  };
  return {
    add(record) {
      const { type, data } = readRecord(record);
      if (type === ENTRY) addEntry(data);
      else if (type === STATE) commit = numberAt(data, 3);
      else if (type === SNAPSHOT) snapshots.push(numberAt(data, 1));
    },
    replay() {
      // etcd begins with the newest snapshot that it knows to be committed.
      const snapshotIndex = Math.max(0, ...snapshots.filter((it) => it <= commit));
      const youngest = v2.at(-1) ?? 0;
      return {
        snapshotIndex,
        lastIndex: Math.max(lastIndex, snapshotIndex),
        lastV2Index: youngest > snapshotIndex ? youngest : null,
      };
    },
  };
}

function readRecord(record: Buffer): { readonly type: number; readonly data: Buffer } {
  let [type, data]: [number, Buffer] = [0, Buffer.alloc(0)];
  for (const field of fields(record)) {
    if (field.number === 1) type = field.value;
    if (field.number === 3 && field.bytes !== null) data = field.bytes;
  }
  if (type === 0) throw new Error('a record without a type');
  return { type, data };
}

/** A raftpb.Entry { type 1, term 2, index 3, data 4 }. */
function readEntry(entry: Buffer): { readonly index: number; readonly isV2: boolean } {
  let [type, index, isV2] = [0, 0, false];
  for (const field of fields(entry)) {
    if (field.number === 1) type = field.value;
    if (field.number === 3) index = field.value;
    if (field.number === 4 && field.bytes !== null && type === 0) isV2 = isV2Request(field.bytes);
  }
  if (index === 0) throw new Error('an entry without an index');
  return { index, isV2 };
}

/**
 * A v2 request stands in the log by itself, and always with its method, which is its field 2; in a v3 request
 * (InternalRaftRequest) field 2 is a v2 request, and nothing else ever.
 */
function isV2Request(data: Buffer): boolean {
  for (const { number } of fields(data)) if (number === 2) return true;
  return false;
}

function numberAt(message: Buffer, number: number): number {
  for (const field of fields(message)) if (field.number === number) return field.value;
  return 0;
}
