import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { NEWEST_PATCH, releasePlatform } from './releases.js';
/** Where the project publishes its releases. A mirror has the same layout below its own base. */
export const OFFICIAL_RELEASES = 'https://github.com/etcd-io/etcd/releases/download';
/** No answer for this long: the source is not to be had, and the next one is tried. */
const HEADERS_LIMIT_MS = 5_000;
/** A download that stands still for this long has failed. */
const STALL_LIMIT_MS = 15_000;
const WANTED_FILES = new Set(['etcd', 'etcdctl', 'etcdutl']);
/** The official release archives, checked against the release's SHA256SUMS. They cannot be listed: see NEWEST_PATCH. */
export function createReleaseSource(options) {
  const base = options.baseUrl.replace(/\/+$/, '');
  return {
    name: 'release',
    async resolve(wanted) {
      const platform = releasePlatform(options.platform, options.arch);
      if (!platform.ok) throw new Error(platform.reason);
      return wanted.version ?? NEWEST_PATCH[wanted.minor];
    },
    async deliver(version, target, onProgress, signal) {
      const platform = releasePlatform(options.platform, options.arch);
      if (!platform.ok) throw new Error(platform.reason);
      const name = `etcd-v${version}-${platform.name}.tar.gz`;
      const expected = await expectedSum(`${base}/v${version}/SHA256SUMS`, name, signal);
      const archive = join(target.scratch, name);
      const actual = await download(`${base}/v${version}/${name}`, archive, onProgress, signal);
      if (actual !== expected) {
        throw new Error(`${base}/v${version}/${name} has sha256 ${actual}, but SHA256SUMS says ${expected}`);
      }
      await unpack(archive, target, onProgress);
    },
  };
}
async function expectedSum(url, name, signal) {
  const answer = await get(url, signal);
  const lines = (await answer.response.text().finally(answer.done)).split('\n');
  for (const line of lines) {
    const [sum, file] = line.trim().split(/\s+\*?/);
    if (file === name && sum !== undefined && /^[0-9a-f]{64}$/.test(sum)) return sum;
  }
  throw new Error(`${url} does not name ${name}`);
}
/** Writes the body to `path` and returns its sha256. */
async function download(url, path, onProgress, signal) {
  const { response, alive, done: finished } = await get(url, signal);
  try {
    if (response.body === null) throw new Error(`${url} has no content`);
    const length = Number(response.headers.get('content-length'));
    const total = length > 0 ? length : null;
    const hash = createHash('sha256');
    let done = 0;
    await pipeline(
      response.body,
      async function* (chunks) {
        for await (const chunk of chunks) {
          alive();
          hash.update(chunk);
          done += chunk.length;
          onProgress({ phase: 'download', done, total });
          yield chunk;
        }
      },
      createWriteStream(path),
    );
    return hash.digest('hex');
  } finally {
    finished();
  }
}
/** A GET with a limit on the time until the headers, then on every pause. */
async function get(url, signal) {
  const stalled = new AbortController();
  const timer = (limitMs) =>
    setTimeout(() => stalled.abort(new Error(`${url} was silent for ${limitMs / 1000} s`)), limitMs);
  let running = timer(HEADERS_LIMIT_MS);
  const alive = () => {
    clearTimeout(running);
    running = timer(STALL_LIMIT_MS);
  };
  const done = () => clearTimeout(running);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, stalled.signal]) });
    alive();
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return { response, alive, done };
  } catch (error) {
    done();
    if (signal.aborted || stalled.signal.aborted) throw error;
    if (error instanceof TypeError) throw new Error(`${url} cannot be reached`, { cause: error });
    throw error;
  }
}
/** Unpacks just the three binaries, without the archive's folder. */
async function unpack(archive, target, onProgress) {
  let done = 0;
  const wanted = (path) => path.split('/').length === 2 && WANTED_FILES.has(basename(path));
  await extract({
    file: archive,
    cwd: target.into,
    strip: 1,
    strict: true,
    filter: wanted,
    onReadEntry: () => onProgress({ phase: 'unpack', done: (done += 1), total: WANTED_FILES.size }),
  });
}
