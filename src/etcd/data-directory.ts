import { mkdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AsideEntry, DataIdentity, LocalData, LocalMark } from '../core/local-data.ts';
import { ApplianceError } from '../errors.ts';
import { cannotWrite, isAbsent, syncDirectory, writeDurably } from './files.ts';
import { parseIdentity, parseMark, parseNote } from './identity.ts';
import { type DataLayout, dataLayout, exists, memberFiles, names } from './layout.ts';

/** The data on this machine's disk. The shape of the daemon's DataPort. */
export interface DataDirectory {
  read(signal: AbortSignal): Promise<LocalData>;
  writeIdentity(identity: DataIdentity, signal: AbortSignal): Promise<void>;
  writeMark(mark: LocalMark | null, signal: AbortSignal): Promise<void>;
  setAside(reason: string, signal: AbortSignal): Promise<void>;
  discard(directory: string, signal: AbortSignal): Promise<void>;
}

/** Where the data are, and what the time is, as ISO 8601. */
export interface DataDirectoryOptions {
  /** The appliance's DATA_DIR; made where it is missing. */
  readonly directory: string;
  readonly wallTime: () => string;
  /** Whether a move that was cut short is completed by whoever comes next; false: it is read as it stands. */
  readonly finish?: boolean;
}

/**
 * Reads and writes what lies beside etcd's data, one call after the other: a read never sees half of a write or a move. Nothing that is there and cannot be read counts as absent: every call
 * throws `cannot-write`, `bad-answer` or the system's own error then, and the data stay as they are (law 2).
 */
export function createDataDirectory(options: DataDirectoryOptions): DataDirectory {
  const layout = dataLayout(options.directory);
  const inTurn = createTurns();
  return {
    read: async () =>
      await inTurn(async () => {
        if (options.finish !== false) {
          await finishMoves(layout);
          await emptyDiscarded(layout);
        }
        return await readAll(layout);
      }),
    writeIdentity: async (identity) =>
      await inTurn(async () => {
        await mkdir(layout.root, { recursive: true });
        await writeDurably(layout.identity, toJson(identity));
      }),
    writeMark: async (mark) =>
      await inTurn(async () => {
        await mkdir(layout.root, { recursive: true });
        if (mark !== null) return await writeDurably(layout.mark, toJson(mark));
        await rm(layout.mark, { force: true });
        await syncDirectory(layout.root);
      }),
    discard: async (directory) => await inTurn(async () => await discard(layout, directory)),
    setAside: async (reason) => await inTurn(async () => await setAside(layout, reason, options.wallTime())),
  };
}

/** Runs what it is handed one after the other; what fails does not keep the next from its turn. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return await turn;
  };
}

async function readAll(layout: DataLayout): Promise<LocalData> {
  const files = await memberFiles(layout.etcd);
  const identity = await readJson(layout.identity, parseIdentity);
  const mark = await readJson(layout.mark, parseMark);
  return { present: files.wal || files.database, identity, mark, aside: await readAside(layout) };
}

/** What is written into a folder of `aside` before anything is moved there. */
interface Note {
  readonly reason: string;
  readonly at: string;
  /** False until everything was moved: a later read goes on with it. */
  readonly complete: boolean;
}

/**
 * Moves etcd's data and their identity into a new folder of `aside`. The identity goes first: until the data follow it,
 * the note in the folder says that the move is not complete, and a later read completes it. So no moment exists in which
 * the data stand under another identity than theirs.
 */
async function setAside(layout: DataLayout, reason: string, at: string): Promise<void> {
  await finishMoves(layout);
  const hasData = await exists(layout.etcd);
  const hasIdentity = await exists(layout.identity);
  if (!hasData && !hasIdentity) return;
  const identity = await readJson(layout.identity, parseIdentity).catch(() => null);
  const folder = await makeFolder(layout, at, identity);
  const note: Note = { reason, at: await notBefore(layout, at), complete: false };
  await writeDurably(join(folder, NOTE), toJson(note));
  await move(layout, folder, note);
}

/**
 * The time, or a moment after the last data that were set aside, where the clock has been put back since: by these times is
 * told which data are the newest, and those are kept (law 2).
 */
async function notBefore(layout: DataLayout, at: string): Promise<string> {
  const last =
    (await readAside(layout))
      .map((it) => it.at)
      .toSorted()
      .at(-1) ?? '';
  const lastMs = Date.parse(last);
  return at >= last || Number.isNaN(lastMs) ? at : new Date(lastMs + 1).toISOString();
}

const NOTE = 'aside.json';

async function move(layout: DataLayout, folder: string, note: Note): Promise<void> {
  try {
    await renameIfThere(layout.identity, join(folder, 'identity.json'));
    await syncDirectory(layout.root);
    await syncDirectory(folder);
    await renameIfThere(layout.etcd, join(folder, 'etcd'));
    await syncDirectory(folder);
    await syncDirectory(layout.root);
  } catch (error) {
    throw cannotWrite(folder, error);
  }
  await writeDurably(join(folder, NOTE), toJson({ ...note, complete: true }));
}

/**
 * Goes on with a move that was cut short. One that moved nothing yet is forgotten: whoever decided it decides anew. One
 * whose identity was moved is completed, unless another identity was written since.
 */
async function finishMoves(layout: DataLayout): Promise<void> {
  for (const name of await names(layout.aside)) {
    const folder = join(layout.aside, name);
    const note = await readJson(join(folder, NOTE), parseNote);
    if (note?.complete === true) continue;
    const moved = (await exists(join(folder, 'identity.json'))) || (await exists(join(folder, 'etcd')));
    if (note === null || !moved) {
      // Only an empty folder goes; what a person put there stays.
      await rm(join(folder, NOTE), { force: true });
      await rmdir(folder).catch(() => undefined);
    } else if (await exists(layout.identity)) {
      await writeDurably(join(folder, NOTE), toJson({ ...note, complete: true }));
    } else {
      await move(layout, folder, note);
    }
  }
}

/** A new folder, named by time and by what its data are. */
async function makeFolder(layout: DataLayout, at: string, identity: DataIdentity | null): Promise<string> {
  const label = identity?.clusterId ?? identity?.token ?? 'unknown';
  const base = `${at.replaceAll(/[-:]|\.\d+/g, '')}-${label.replaceAll(/[^\w-]/g, '_')}`;
  await mkdir(layout.aside, { recursive: true });
  await syncDirectory(layout.root);
  for (let count = 1; ; count += 1) {
    const folder = join(layout.aside, count === 1 ? base : `${base}-${count}`);
    if (await exists(folder)) continue;
    await mkdir(folder);
    await syncDirectory(layout.aside);
    return folder;
  }
}

/**
 * Deletes one folder of `aside`. It leaves there whole, by a rename, before anything in it goes: half of it is never taken
 * for data.
 */
async function discard(layout: DataLayout, directory: string): Promise<void> {
  const name = basename(directory);
  if (join(layout.aside, name) !== directory || !(await names(layout.aside)).includes(name))
    throw new Error(`${directory} is no folder of ${layout.aside}: it is not deleted`);
  try {
    await emptyDiscarded(layout);
    await rename(directory, layout.discarded);
    await syncDirectory(layout.aside);
    await emptyDiscarded(layout);
  } catch (error) {
    throw cannotWrite(directory, error);
  }
}

async function emptyDiscarded(layout: DataLayout): Promise<void> {
  await rm(layout.discarded, { recursive: true, force: true });
}

async function readAside(layout: DataLayout): Promise<readonly AsideEntry[]> {
  const entries: AsideEntry[] = [];
  for (const name of await names(layout.aside)) {
    const directory = join(layout.aside, name);
    if (!(await exists(join(directory, 'etcd')))) continue;
    const note = await readJson(join(directory, NOTE), parseNote);
    // Data without a readable identity are data still: they are listed without one.
    const identity = await readJson(join(directory, 'identity.json'), parseIdentity).catch(() => null);
    entries.push({ directory, identity, at: note?.at ?? '', reason: note?.reason ?? 'unknown' });
  }
  return entries;
}

/** Null only where the file does not exist. A file that is not what it must be is an error. */
async function readJson<T>(path: string, parse: (value: unknown) => T | null): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  const value = parse(jsonOrNull(text));
  if (value !== null) return value;
  throw new ApplianceError(
    { code: 'bad-answer', service: 'disk' },
    `${path} is not what the appliance wrote (${JSON.stringify(text.slice(0, 60))}): restore it, or move the data away`,
  );
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function renameIfThere(from: string, to: string): Promise<void> {
  if (await exists(from)) await rename(from, to);
}
