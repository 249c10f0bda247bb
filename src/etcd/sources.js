import { createDebianSource } from './source-debian.js';
import { createGoSource } from './source-go.js';
import { createReleaseSource } from './source-release.js';
/** All sources, in the order in which they are tried: what users get first, what needs most on the machine last. */
export function installSources(options) {
  return [createReleaseSource(options), createGoSource(options), createDebianSource(options)];
}
