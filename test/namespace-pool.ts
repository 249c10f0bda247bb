import { ForksPoolWorker, type PoolOptions } from 'vitest/node';
import { IN_NAMESPACE } from './tools.ts';

/** A worker of vitest's in a network namespace of its own. */
class NamespaceWorker extends ForksPoolWorker {
  override readonly name = 'namespace';

  constructor(options: PoolOptions) {
    super(options);
    this.env = { ...this.env, REAL_NODE: process.execPath };
  }

  override async start(): Promise<void> {
    // What is forked is always process.execPath, and it is read before anything is waited for.
    const node = process.execPath;
    process.execPath = IN_NAMESPACE;
    const started = super.start();
    process.execPath = node;
    await started;
  }
}

/**
 * A pool of vitest whose every test file runs in a network namespace: a process cannot change its own network, and a
 * sandbox whose instances can be cut off from each other must be in one (`inside`).
 */
export const namespacePool = {
  name: 'namespace',
  createPoolWorker: (options: PoolOptions): ForksPoolWorker => new NamespaceWorker(options),
};
