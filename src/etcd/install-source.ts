import type { Wanted } from './releases.ts';

/** A step of an installation, for a progress bar. */
export interface InstallProgress {
  readonly phase: 'wait' | 'download' | 'build' | 'unpack' | 'verify';
  /** Bytes while downloading, packages while building, else steps. */
  readonly done: number;
  /** Null where it is not known. */
  readonly total: number | null;
}

/** Where a source puts what it makes. Both folders exist, are empty, and are removed by the caller. */
export interface InstallTarget {
  /** For whatever the source needs on the way. */
  readonly scratch: string;
  /** For `etcd`, `etcdctl` and, from 3.5 on, `etcdutl`. */
  readonly into: string;
}

/** Somewhere to have etcd's binaries from. What it throws is the reason why it does not work here. */
export interface InstallSource {
  readonly name: string;
  /** The version that it would deliver, as `3.5.35`. */
  resolve(wanted: Wanted, signal: AbortSignal): Promise<string>;
  /** Delivers it. The caller asks the binaries for their version afterwards. */
  deliver(
    version: string,
    target: InstallTarget,
    onProgress: (progress: InstallProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
