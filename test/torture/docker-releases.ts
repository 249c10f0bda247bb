/**
 * Serves the binaries of etcd that the tests have as a mirror of its releases would: archives, and SHA256SUMS beside
 * them. A program of its own, as an image is built in another network namespace than the tests run in. Prints its URL,
 * and ends with its standard input.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { cp, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { create } from 'tar';
import { releasePlatform } from '../../src/etcd/releases.ts';
import { etcdBinary, temporaryDirectory, TESTED_MINORS } from '../tools.ts';

const platform = releasePlatform(process.platform, process.arch);
if (!platform.ok) throw new Error(platform.reason);

await using place = await temporaryDirectory();
const files = new Map<string, string | Buffer>();
for (const minor of TESTED_MINORS) {
  const { version, directory } = await etcdBinary(minor);
  const name = `etcd-v${version}-${platform.name}`;
  await cp(directory, join(place.path, name), { recursive: true });
  const archive = join(place.path, `${name}.tar.gz`);
  // The least effort: it goes nowhere.
  await create({ gzip: { level: 1 }, file: archive, cwd: place.path }, [name]);
  const sum = createHash('sha256')
    .update(await readFile(archive))
    .digest('hex');
  files.set(`/v${version}/${name}.tar.gz`, archive);
  files.set(`/v${version}/SHA256SUMS`, Buffer.from(`${sum}  ${name}.tar.gz\n`));
}

const server = createServer((request, response) => {
  void answer(request.url ?? '').catch((error: unknown) => response.destroy(new Error(String(error))));

  async function answer(path: string): Promise<void> {
    const file = files.get(path);
    if (file === undefined) {
      response.writeHead(404).end();
    } else if (typeof file === 'string') {
      response.writeHead(200, { 'content-length': (await stat(file)).size });
      createReadStream(file).pipe(response);
    } else {
      response.end(file);
    }
  }
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('no port');
process.stdout.write(`http://127.0.0.1:${address.port}\n`);
process.stdin.resume();
await once(process.stdin, 'close');
server.close();
server.closeAllConnections();
