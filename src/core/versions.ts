/** An etcd binary as installed. */
interface Installed {
  readonly version: string;
}

/** The minor of a version: 3.5 of 3.5.35. */
export function minorOf(version: string): string {
  const end = version.indexOf('.', version.indexOf('.') + 1);
  return end < 0 ? version : version.slice(0, end);
}

/** How many minors `to` is above `from`; negative where below. Null where the majors differ: nothing is known of that way. */
export function minorsBetween(from: string, to: string): number | null {
  const [left, right] = [numbersOf(from), numbersOf(to)];
  return left[0] === right[0] ? (right[1] ?? 0) - (left[1] ?? 0) : null;
}

/** The minor `by` above a version's: 3.6 is one above 3.5.35. */
export function minorAbove(version: string, by: number): string {
  const [major = 0, minor = 0] = numbersOf(version);
  return `${major}.${minor + by}`;
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
  return pickVersion(
    installed.map((it) => it.version),
    wanted,
  );
}

/** The same among bare versions. */
export function pickVersion(versions: readonly string[], wanted: string | null): string | null {
  const newest = versions.toSorted((a, b) => compareVersions(b, a));
  if (wanted === null) return newest[0] ?? null;
  return newest.find((it) => it === wanted) ?? newest.find((it) => minorOf(it) === minorOf(wanted)) ?? null;
}
