import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../test/e2e/build.ts';
import { ETCD_DIRECTORY } from '../test/tools.ts';
import { createRecorder, type Life } from './measures.ts';

/** What an instance's metadata say; every other question there is for AWS. */
const DOCUMENT = {
  instanceId: 'i-0123456789abcdef0',
  region: 'eu-central-1',
  availabilityZone: 'eu-central-1a',
  privateIp: '127.0.0.1',
  accountId: '123456789012',
};

/** The least that a program of Node can do: it starts, and asks one question. */
const BARE = ['--input-type=module', '-e', "(await import('node:http')).get(process.env.AWS_ENDPOINT_URL)"];

/**
 * Starts of one appliance on a machine that runs nothing else, as an instance is, and of bare Node in turn: how long each
 * takes from its process to its first question to AWS. What runs beside the appliance's first etcd comes after that.
 */
export async function liveStarts(
  runs: number,
  signal: AbortSignal,
): Promise<{ readonly appliance: Life; readonly bare: Life }> {
  const appliance = createRecorder();
  const bare = createRecorder();
  for (let run = 1; run <= runs; run += 1) {
    appliance.record('start.first-call', await startOnce([program(), 'run'], signal));
    bare.record('start.first-call', await startOnce(BARE, signal));
  }
  const nothing = { milestones: new Map(), timelines: new Map() };
  return {
    appliance: { samples: appliance.samples, ...nothing },
    bare: { samples: bare.samples, ...nothing },
  };
}

/** Runs Node until it asks AWS, and ends it there; ms from its process to that question. Throws where it ends before. */
async function startOnce(words: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'etcd-appliance-bench-'));
  const asked = Promise.withResolvers<number>();
  const server = createServer((request, response) => {
    if (!answerMetadata(request, response)) asked.resolve(performance.now());
  });
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const startedMs = performance.now();
    const child = spawn(process.execPath, words, { stdio: 'ignore', env: environmentOf(url, folder) });
    const exited = once(child, 'exit');
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop);
    try {
      const early = exited.then(([code]) => {
        throw new Error(`${words.join(' ')} ended with ${String(code)} before it asked AWS`);
      });
      return (await Promise.race([asked.promise, early])) - startedMs;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
      await exited;
    }
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  }
}

function environmentOf(url: string, folder: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL: url,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    HOSTED_ZONE: 'example.org',
    DATA_DIR: join(folder, 'data'),
    ETCD_DIR: ETCD_DIRECTORY,
  };
}

/** Whether the question was one to metadata, and is answered. */
function answerMetadata({ url = '' }: IncomingMessage, response: ServerResponse): boolean {
  if (!url.startsWith('/latest/')) return false;
  if (url === '/latest/api/token') {
    response.setHeader('x-aws-ec2-metadata-token-ttl-seconds', '21600').end('token');
  } else if (url.startsWith('/latest/dynamic/instance-identity/document')) {
    response.end(JSON.stringify(DOCUMENT));
  } else {
    response.writeHead(404).end();
  }
  return true;
}
