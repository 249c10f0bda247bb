import type { Server } from 'node:net';
import { ApplianceError } from '../errors.ts';

/** Listens. Throws `unavailable`, with the address, where that cannot be. */
export async function listen(
  server: Server,
  where: { host: string; port: number } | { path: string },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(where, resolve);
  try {
    await promise;
  } catch (cause) {
    const text = 'path' in where ? where.path : `${where.host} port ${where.port}`;
    throw new ApplianceError({ code: 'unavailable', service: text }, `cannot listen on ${text}`, { cause });
  } finally {
    server.off('error', reject);
  }
}

/** Whether listening failed because somebody else does. */
export function isTaken(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
}

/** Stops listening, and ends what is still connected. A server that never listened is fine. */
export async function closeServer(server: Server & { closeAllConnections?: () => void }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections?.();
  await promise;
}
