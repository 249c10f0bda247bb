/**
 * A DNS name as the sandbox keeps it: lower case, with a trailing dot, escapes (`\052`) resolved to characters.
 * Source: Route 53's "DNS domain name format".
 */
export function plainName(name: string): string {
  const resolved = name.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  const lower = resolved.toLowerCase();
  return lower.endsWith('.') ? lower : `${lower}.`;
}

/** A kept name as Route 53 shows it: everything but letters, digits, hyphen, underscore and dot as `\ooo` in octal. */
export function shownName(name: string): string {
  return name.replace(/[^a-z0-9._-]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** What Route 53 sorts by: the labels reversed, with the trailing dot. */
export function sortKey(name: string): string {
  return `${name.slice(0, -1).split('.').reverse().join('.')}.`;
}

export function isWithin(name: string, zoneName: string): boolean {
  return name === zoneName || name.endsWith(`.${zoneName}`);
}

/** Route 53's own limits: 63 characters a label, 255 a name. */
export function isDnsName(name: string): boolean {
  const labels = name.slice(0, -1).split('.');
  return name.length <= 255 && labels.every((label) => label.length > 0 && label.length <= 63);
}
