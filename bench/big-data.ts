import type { EtcdAdmin } from '../src/etcd/admin.ts';

const VALUE_BYTES = 512 * 1024;
const VALUES = 2_048;
/** Under way at once; etcd refuses more than it can keep up with. */
const WRITERS = 4;

/** Writes 1 GiB, in values of half a mebibyte. Throws where a value is refused time and again. */
export async function writeBig(
  admin: EtcdAdmin,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const value = 'x'.repeat(VALUE_BYTES);
  let next = 0;
  const write = async (endpoint: string): Promise<void> => {
    while (next < VALUES) {
      signal.throwIfAborted();
      const key = `bench/big/${String((next += 1))}`;
      await writeOne(admin, endpoint, key, value, signal);
    }
  };
  await Promise.all(
    Array.from({ length: WRITERS }, (_, index) => write(endpoints[index % endpoints.length] ?? '')),
  );
}

async function writeOne(
  admin: EtcdAdmin,
  endpoint: string,
  key: string,
  value: string,
  signal: AbortSignal,
): Promise<void> {
  let why = '';
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const put = await admin.put(endpoint, key, value, {}, signal);
    if (put.known && put.value) return;
    why = put.known ? 'refused' : put.reason;
  }
  throw new Error(`${key} is not written: ${why}`);
}
