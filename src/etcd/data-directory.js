import { mkdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplianceError } from '../errors.js';
import { cannotWrite, isAbsent, syncDirectory, writeDurably } from './files.js';
import { parseIdentity, parseMark, parseNote } from './identity.js';
import { dataLayout, exists, memberFiles, names } from './layout.js';
/**
 * Reads and writes what lies beside etcd's data. Nothing that is there and cannot be read counts as absent: every call
 * throws `cannot-write`, `bad-answer` or the system's own error then, and the data stay as they are (law 2).
 */
export function createDataDirectory(options) {
  const layout = dataLayout(options.directory);
  return {
    async read() {
      await finishMoves(layout);
      const files = await memberFiles(layout.etcd);
      const identity = await readJson(layout.identity, parseIdentity);
      const mark = await readJson(layout.mark, parseMark);
      return { present: files.wal || files.database, identity, mark, aside: await readAside(layout) };
    },
    async writeIdentity(identity) {
      await mkdir(layout.root, { recursive: true });
      await writeDurably(layout.identity, toJson(identity));
    },
    async writeMark(mark) {
      await mkdir(layout.root, { recursive: true });
      if (mark !== null) return writeDurably(layout.mark, toJson(mark));
      await rm(layout.mark, { force: true });
      await syncDirectory(layout.root);
    },
    setAside: async (reason) => setAside(layout, reason, options.wallTime()),
  };
}
/**
 * Moves etcd's data and their identity into a new folder of `aside`. The identity goes first: until the data follow it,
 * the note in the folder says that the move is not complete, and a later read completes it. So no moment exists in which
 * the data stand under another identity than theirs.
 */
async function setAside(layout, reason, at) {
  await finishMoves(layout);
  const hasData = await exists(layout.etcd);
  const hasIdentity = await exists(layout.identity);
  if (!hasData && !hasIdentity) return;
  const identity = await readJson(layout.identity, parseIdentity).catch(() => null);
  const folder = await makeFolder(layout, at, identity);
  const note = { reason, at, complete: false };
  await writeDurably(join(folder, NOTE), toJson(note));
  await move(layout, folder, note);
}
const NOTE = 'aside.json';
async function move(layout, folder, note) {
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
async function finishMoves(layout) {
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
async function makeFolder(layout, at, identity) {
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
async function readAside(layout) {
  const entries = [];
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
async function readJson(path, parse) {
  let text;
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
function jsonOrNull(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
function toJson(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}
async function renameIfThere(from, to) {
  if (await exists(from)) await rename(from, to);
}
