import type { InstallSource } from './install-source.ts';
import { createDebianSource } from './source-debian.ts';
import { createGoSource } from './source-go.ts';
import { createReleaseSource } from './source-release.ts';

/** What this machine is, as far as having binaries goes. */
export interface SourcesOptions {
  /** Base of the releases, or of a mirror with the same layout. */
  readonly baseUrl: string;
  /** The environment for the programs that sources run. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Node's `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  readonly root: boolean;
}

/** All sources, in the order in which they are tried: what users get first, what needs most on the machine last. */
export function installSources(options: SourcesOptions): readonly InstallSource[] {
  return [createReleaseSource(options), createGoSource(options), createDebianSource(options)];
}
