import type { AsideEntry, DataIdentity, LocalData, LocalMark } from '../../src/core/local-data.ts';
import type { DataPort } from '../../src/daemon/ports.ts';
import type { EtcdFiles } from './etcd/files.ts';

/** A disk that outlives processes and power. All that stands here is flushed; what is not yet, is nowhere. */
export interface FakeDisk {
  etcd: EtcdFiles | null;
  identity: DataIdentity | null;
  mark: LocalMark | null;
  aside: readonly (AsideEntry & { readonly etcd: EtcdFiles | null })[];
  /** A new, empty volume. */
  wipe(): void;
}

const ASIDE = 'aside/';

/** An empty disk. */
export function createFakeDisk(): FakeDisk {
  return {
    etcd: null,
    identity: null,
    mark: null,
    aside: [],
    wipe() {
      this.etcd = null;
      this.identity = null;
      this.mark = null;
      this.aside = [];
    },
  };
}

/**
 * The data port over a disk. A write takes effect whole, at its flush: a crash before leaves what was there. Data that
 * are set aside go with their identity, as the real one completes a move that was cut short. Without a clock nobody knows
 * when that was.
 */
export function createFakeData(disk: FakeDisk, wallTime: () => string = () => ''): DataPort {
  const step = async (act: () => void): Promise<void> => {
    await Promise.resolve();
    act();
  };
  return {
    async read(): Promise<LocalData> {
      await Promise.resolve();
      const aside = disk.aside.map(({ directory, identity, at, reason }) => ({
        directory,
        identity,
        at,
        reason,
      }));
      return { present: disk.etcd !== null, identity: disk.identity, mark: disk.mark, aside };
    },
    writeIdentity: async (identity) =>
      await step(() => {
        disk.identity = identity;
      }),
    writeMark: async (mark) =>
      await step(() => {
        disk.mark = mark;
      }),
    discard: async (directory) =>
      await step(() => {
        disk.aside = disk.aside.filter((it) => it.directory !== directory);
      }),
    setAside: async (reason) =>
      await step(() => {
        const { etcd, identity } = disk;
        if (etcd === null && identity === null) return;
        const numbers = disk.aside.map((it) => Number(it.directory.slice(ASIDE.length)));
        const directory = `${ASIDE}${Math.max(0, ...numbers) + 1}`;
        const entry = { directory, identity, at: wallTime(), reason, etcd };
        if (etcd !== null) disk.aside = [...disk.aside, entry];
        disk.etcd = null;
        disk.identity = null;
      }),
  };
}
