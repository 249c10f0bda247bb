/** The minors that are supported, oldest first: a member steps up through them one at a time. */
export const ETCD_MINORS = ['3.4', '3.5', '3.6', '3.7'];
/**
 * Newest patch of each minor when this was written. Used where a source cannot list its versions; 3.4.45 is the last
 * of its line.
 */
export const NEWEST_PATCH = {
  3.4: '3.4.45',
  3.5: '3.5.35',
  3.6: '3.6.16',
  3.7: '3.7.3',
};
/** Reads `3.5`, `3.5.35` or `v3.5.35`. Null where it is neither, or no supported minor. */
export function parseWanted(text) {
  const match = /^v?(\d+\.\d+)(?:\.(\d+))?$/.exec(text.trim());
  const minor = match?.[1];
  if (!isSupportedMinor(minor)) return null;
  const patch = match?.[2];
  return { minor, version: patch === undefined ? null : `${minor}.${Number(patch)}` };
}
/** Whether the text is one of the supported minors. */
export function isSupportedMinor(text) {
  return ETCD_MINORS.some((minor) => minor === text);
}
/** `3.5` of `3.5.35`. */
export function minorOf(version) {
  return version.split('.').slice(0, 2).join('.');
}
/** Orders versions as numbers: negative where `a` is the older one. Takes plain versions, without pre-release parts. */
export function compareVersions(a, b) {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let part = 0; part < 3; part += 1) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
/** Releases known to lose acknowledged data (upstream's changelogs and post-mortems: #13766, #14370, #14733). */
const DATA_LOSS = [
  { minor: '3.5', fixedIn: 3, why: 'it can lose data when it is killed under load (etcd issue 13766)' },
  { minor: '3.5', fixedIn: 5, why: 'a cluster of one can lose acknowledged writes (etcd issue 14370)' },
  { minor: '3.5', fixedIn: 6, why: 'it can lose data when it is defragmented (etcd issue 14733)' },
  { minor: '3.4', fixedIn: 21, why: 'a cluster of one can lose acknowledged writes (etcd issue 14370)' },
];
/** Why a version must not be run, as a clause; null where nothing is known against it. */
export function refusedRelease(version) {
  const patch = Number(version.split('.')[2]);
  const hit = DATA_LOSS.find((loss) => loss.minor === minorOf(version) && patch < loss.fixedIn);
  return hit === undefined ? null : `${hit.why}; use ${hit.minor}.${hit.fixedIn} or later`;
}
const RELEASE_ARCHITECTURES = {
  x64: 'amd64',
  arm64: 'arm64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};
/** The release platform of Node's `process.platform` and `process.arch`. */
export function releasePlatform(platform, arch) {
  const architecture = RELEASE_ARCHITECTURES[arch];
  if (platform !== 'linux') {
    return { ok: false, reason: `the releases for ${platform} are zip files, which are not unpacked here` };
  }
  if (architecture === undefined) return { ok: false, reason: `there are no releases for ${arch}` };
  return { ok: true, name: `linux-${architecture}` };
}
