import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

/** Follows a file that another process appends to. */
export interface LogTail {
  /** Reads what is there, and ends. */
  close(): Promise<void>;
}

/** A log that is read and longer than this is emptied: etcd writes on at its new end. */
const TRUNCATE_ABOVE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** A line longer than this is passed on in parts. */
const LONGEST_LINE = 256 * 1024;

/** What to follow. */
export interface LogTailOptions {
  readonly path: string;
  readonly truncateAboveBytes?: number;
}

/**
 * Passes on each line that is appended to a file from now on, in order, as soon as the kernel tells. The file must have been opened
 * for appending by its writer, because it is emptied here when it is long; lines written in the very moment between the
 * last read and that are lost.
 */
export async function followLog(options: LogTailOptions, onLine: (line: string) => void): Promise<LogTail> {
  const file = await open(options.path, 'r+');
  const reader = createReader(file, options, onLine);
  await reader.skip();
  const pass = serialised(reader.pass);
  let watcher: FSWatcher | null = null;
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

interface Reader {
  skip(): Promise<void>;
  pass(): Promise<void>;
  end(): void;
}

function createReader(file: FileHandle, options: LogTailOptions, onLine: (line: string) => void): Reader {
  const limit = options.truncateAboveBytes ?? TRUNCATE_ABOVE_BYTES;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const decoder = new StringDecoder('utf8');
  let offset = 0;
  let rest = '';
  const take = (text: string): void => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length > LONGEST_LINE) end();
  };
  const end = (): void => {
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
function serialised(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let again: Promise<void> | null = null;
  const begin = async (): Promise<void> => {
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
