import type { Etcd3 } from 'etcd3';
import type { CallOptions } from './admin-client.ts';

/**
 * Renews a lease once: etcd has no unary call for it, so a stream is opened, asked once and ended. False where the lease
 * is gone. Renewing once at a time leaves no stream behind that could hang on a member that lost its leader.
 */
export async function keepLeaseAlive(client: Etcd3, id: string, options: CallOptions): Promise<boolean> {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  try {
    const answer = await new Promise<{ readonly TTL: string; readonly header: object | null }>(
      (resolve, reject) => {
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.on('end', () => reject(new Error('UNAVAILABLE: the stream ended without an answer')));
        stream.write({ ID: id });
      },
    );
    // TTL 0 says that the lease is gone; what says nothing at all says that as well.
    if (answer.header === null)
      throw new Error('the answer has no header: something else than etcd answers there');
    return Number(answer.TTL) > 0;
  } finally {
    // It ends with an error of its own then, that nobody waits for any more.
    stream.end();
    stream.cancel();
  }
}
