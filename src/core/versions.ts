/** An etcd binary as installed. */
interface Installed {
  readonly version: string;
  readonly minor: string;
}

/** The minor of a version: 3.5 of 3.5.35. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Orders versions by number: negative where `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbersOf(version: string): readonly number[] {
  return version.split('.').map(Number);
}

/**
 * The binary for a version or a minor: that very version where it is installed, else the newest patch of its minor;
 * null asks for the newest of all. Null where there is none.
 */
export function pickBinary(installed: readonly Installed[], wanted: string | null): string | null {
  const newest = [...installed].sort((a, b) => compareVersions(b.version, a.version));
  if (wanted === null) return newest[0]?.version ?? null;
  const exact = newest.find((it) => it.version === wanted);
  return (exact ?? newest.find((it) => it.minor === minorOf(wanted)))?.version ?? null;
}
