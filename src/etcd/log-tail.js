import { watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
/** A log that is read and longer than this is emptied: etcd writes on at its new end. */
const TRUNCATE_ABOVE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** A line longer than this is passed on in parts. */
const LONGEST_LINE = 256 * 1024;
/**
 * Passes on each line that is appended to a file, in order, as soon as the kernel tells. The file must have been opened
 * for appending by its writer, because it is emptied here when it is long; lines written in the very moment between the
 * last read and that are lost.
 */
export async function followLog(options, onLine) {
  const file = await open(options.path, 'r+');
  const reader = createReader(file, options, onLine);
  if (options.from === 'now') await reader.skip();
  const pass = serialised(reader.pass);
  let watcher = null;
  try {
    watcher = watch(options.path, { persistent: false }, () => void pass());
    // A file that cannot be watched is still read when it is closed.
    watcher.on('error', () => undefined);
  } catch {
    watcher = null;
  }
  void pass();
  return {
    async close() {
      watcher?.close();
      await pass();
      reader.end();
      await file.close();
    },
  };
}
function createReader(file, options, onLine) {
  const limit = options.truncateAboveBytes ?? TRUNCATE_ABOVE_BYTES;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const decoder = new StringDecoder('utf8');
  let offset = 0;
  let rest = '';
  const take = (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length > LONGEST_LINE) end();
  };
  const end = () => {
    if (rest !== '') onLine(rest);
    rest = '';
  };
  return {
    async skip() {
      offset = (await file.stat()).size;
    },
    async pass() {
      const { size } = await file.stat();
      // Somebody emptied it.
      if (size < offset) offset = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, offset);
        if (bytesRead === 0) break;
        offset += bytesRead;
        take(decoder.write(buffer.subarray(0, bytesRead)));
      }
      if (offset > limit) {
        await file.truncate(0);
        offset = 0;
      }
    },
    end,
  };
}
/** One run at a time; a call during a run makes for one more run, and ends with it. A failed run is left to the next. */
function serialised(run) {
  let running = null;
  let again = null;
  const begin = async () => {
    try {
      await run();
    } catch {
      // The file is closed, or the disk fails: there is nothing to pass on.
    } finally {
      running = null;
    }
  };
  return async () => {
    if (running === null) {
      running = begin();
      return running;
    }
    again ??= running.then(() => {
      again = null;
      running ??= begin();
      return running;
    });
    return again;
  };
}
