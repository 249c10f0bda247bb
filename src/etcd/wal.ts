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
/** etcd's largest entry is far below; what claims to be larger is no frame. */
const LONGEST_RECORD = 512 * 1024 * 1024;

/**
 * What a start of etcd on this directory would replay. etcd may run: it only appends. Throws where there is no log, or
 * where a record cannot be read, as may be while the last one is being written: ask again.
 *
 * `snapshotHint` is the index of the newest snapshot file, 0 where there is none: what is older need not be read.
 */
export async function readReplay(
  etcdDirectory: string,
  snapshotHint: number,
  signal: AbortSignal,
): Promise<LogReplay> {
  const directory = join(etcdDirectory, 'member', 'wal');
  const files = (await names(directory)).filter((name) => name.endsWith('.wal'));
  if (files.length === 0) throw new Error(`${directory} holds no log`);
  const begin = files.findLastIndex((name) => firstIndexOf(name) <= snapshotHint);
  const replay = await readFiles(directory, files.slice(Math.max(0, begin)), signal);
  // etcd died between the file of a snapshot and its record: the file does not count, and all of the log does.
  if (begin > 0 && replay.snapshotIndex < snapshotHint) return await readFiles(directory, files, signal);
  return replay;
}

/** A file is named by its number and the index of the first entry that it may hold, 16 hex digits each. */
function firstIndexOf(name: string): number {
  return Number.parseInt(/^[0-9a-f]{16}-([0-9a-f]{16})\.wal$/.exec(name)?.[1] ?? '0', 16);
}

async function readFiles(
  directory: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<LogReplay> {
  const log = createLogSummary();
  for (const file of files) await readSegment(join(directory, file), log.add, signal);
  return log.replay();
}

async function readSegment(path: string, add: (record: Buffer) => void, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES);
      const { left, ended } = takeFrames(Buffer.concat([rest, buffer.subarray(0, bytesRead)]), add);
      // The last frame of a file that is no longer than what was written may be on its way; the next file goes on.
      if (ended || bytesRead === 0) return;
      rest = left;
    }
  } catch (error) {
    throw new Error(`${path} cannot be read as a log`, { cause: error });
  } finally {
    await file.close();
  }
}

/** Hands out the whole frames at the beginning; `ended`: zeros follow, which etcd keeps for later. */
function takeFrames(
  bytes: Buffer,
  add: (record: Buffer) => void,
): { readonly left: Buffer; readonly ended: boolean } {
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const upper = bytes[at + FRAME_BYTES - 1] ?? 0;
    const length = bytes.readUIntLE(at, 6) + (bytes[at + 6] ?? 0) * 2 ** 48;
    if (length === 0) return { left: bytes.subarray(at), ended: true };
    if (length > LONGEST_RECORD) throw new Error(`a record of ${length} bytes`);
    const padding = upper >= 0x80 ? upper & 0x7 : 0;
    const end = at + FRAME_BYTES + length + padding;
    if (end > bytes.length) break;
    add(bytes.subarray(at + FRAME_BYTES, end - padding));
    at = end;
  }
  return { left: bytes.subarray(at), ended: false };
}

/** Takes records in their order. */
function createLogSummary() {
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
    add(record: Buffer): void {
      const { type, data } = readRecord(record);
      if (type === ENTRY) addEntry(data);
      else if (type === STATE) commit = numberAt(data, 3);
      else if (type === SNAPSHOT) snapshots.push(numberAt(data, 1));
    },
    replay(): LogReplay {
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
