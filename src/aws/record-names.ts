/**
 * A DNS name as we compare it: lower case, without the final dot, Route 53's octal escapes (\052 for an asterisk)
 * written out.
 */
export function plainName(name: string): string {
  return name
    .replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    .replace(/\.$/, '')
    .toLowerCase();
}

/** Whether `name` is `top` or stands below it; both as plainName gives them. */
export function isAtOrBelow(name: string, top: string): boolean {
  return name === top || name.endsWith(`.${top}`);
}
