/** The minors that are supported, oldest first: a member steps up through them one at a time. */
export const ETCD_MINORS = ['3.4', '3.5', '3.6', '3.7'] as const;

/** A supported minor version. */
export type EtcdMinor = (typeof ETCD_MINORS)[number];

/**
 * Newest patch of each minor when this was written. Used where a source cannot list its versions; 3.4.45 is the last
 * of its line.
 */
export const NEWEST_PATCH: Readonly<Record<EtcdMinor, string>> = {
  '3.4': '3.4.45',
  '3.5': '3.5.35',
  '3.6': '3.6.16',
  '3.7': '3.7.3',
};

/** What a person may ask for: a minor (its newest patch) or one version. */
export interface Wanted {
  readonly minor: EtcdMinor;
  /** Null: the newest patch of the minor. */
  readonly version: string | null;
}

/** Reads `3.5`, `3.5.35` or `v3.5.35`. Null where it is neither, or no supported minor. */
export function parseWanted(text: string): Wanted | null {
  const match = /^v?(\d+\.\d+)(?:\.(\d+))?$/.exec(text.trim());
  const minor = match?.[1];
  if (!isSupportedMinor(minor)) return null;
  const patch = match?.[2];
  return { minor, version: patch === undefined ? null : `${minor}.${Number(patch)}` };
}

/** Whether the text is one of the supported minors. */
export function isSupportedMinor(text: string | undefined): text is EtcdMinor {
  return ETCD_MINORS.some((minor) => minor === text);
}

/** `3.5` of `3.5.35`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Orders versions as numbers: negative where `a` is the older one. Takes plain versions, without pre-release parts. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let part = 0; part < 3; part += 1) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

interface DataLoss {
  readonly minor: EtcdMinor;
  /** Patches below this one are affected. */
  readonly fixedIn: number;
  readonly why: string;
}

/** Releases known to lose acknowledged data (upstream's changelogs and post-mortems: #13766, #14370, #14733). */
const DATA_LOSS: readonly DataLoss[] = [
  { minor: '3.5', fixedIn: 3, why: 'it can lose data when it is killed under load (etcd issue 13766)' },
  { minor: '3.5', fixedIn: 5, why: 'a cluster of one can lose acknowledged writes (etcd issue 14370)' },
  { minor: '3.5', fixedIn: 6, why: 'it can lose data when it is defragmented (etcd issue 14733)' },
  { minor: '3.4', fixedIn: 21, why: 'a cluster of one can lose acknowledged writes (etcd issue 14370)' },
];

/** Why a version must not be run, as a clause; null where nothing is known against it. */
export function refusedRelease(version: string): string | null {
  const patch = Number(version.split('.')[2]);
  const hit = DATA_LOSS.find((loss) => loss.minor === minorOf(version) && patch < loss.fixedIn);
  return hit === undefined ? null : `${hit.why}; use ${hit.minor}.${hit.fixedIn} or later`;
}

/** An operating system and a processor, in the words of etcd's releases; or why there is no release for this machine. */
export type ReleasePlatform =
  { readonly ok: true; readonly name: string } | { readonly ok: false; readonly reason: string };

const RELEASE_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

/** The release platform of Node's `process.platform` and `process.arch`. */
export function releasePlatform(platform: string, arch: string): ReleasePlatform {
  const architecture = RELEASE_ARCHITECTURES[arch];
  if (platform !== 'linux') {
    return { ok: false, reason: `the releases for ${platform} are zip files, which are not unpacked here` };
  }
  if (architecture === undefined) return { ok: false, reason: `there are no releases for ${arch}` };
  return { ok: true, name: `linux-${architecture}` };
}
