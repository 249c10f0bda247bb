/** Longest string within a TXT value (RFC 1035, 3.3.14). */
const MAX_STRING = 255;

/**
 * Writes a text as a TXT value in Route 53's notation: quoted strings of at most 255 characters, parted by a space.
 * The text must be printable ASCII without quote and backslash (the codecs here percent-encode all else).
 */
export function encodeTxt(text: string): string {
  const strings: string[] = [];
  for (let at = 0; at < text.length || at === 0; at += MAX_STRING) {
    strings.push(`"${text.slice(at, at + MAX_STRING)}"`);
  }
  return strings.join(' ');
}

/** Reads a TXT value in Route 53's notation; null where it is none that `encodeTxt` could have written. */
export function decodeTxt(value: string): string | null {
  if (!/^"[^"\\]*"(?: "[^"\\]*")*$/.test(value)) return null;
  return value.slice(1, -1).split('" "').join('');
}

/** Words `key=value`, parted by spaces, as claim and mark are written: an operator can read them with dig. */
export function encodeWords(words: readonly (readonly [key: string, value: string])[]): string {
  return words.map(([key, value]) => `${key}=${value}`).join(' ');
}

/** Reads words `key=value`; null where one is malformed or a key comes twice. */
export function decodeWords(text: string): ReadonlyMap<string, string> | null {
  const words = new Map<string, string>();
  for (const word of text.split(' ')) {
    const at = word.indexOf('=');
    const key = word.slice(0, at);
    if (at < 1 || words.has(key)) return null;
    words.set(key, word.slice(at + 1));
  }
  return words;
}

/** Makes any text safe within a word and within a list in a word: all but letters, digits and `-._:` is percent-encoded. */
export function encodeAtom(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Reads an atom; null where it is malformed. */
export function decodeAtom(atom: string): string | null {
  try {
    return decodeURIComponent(atom);
  } catch {
    return null;
  }
}
