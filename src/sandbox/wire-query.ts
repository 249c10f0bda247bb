import { XMLBuilder } from 'fast-xml-parser';
import { CloudError, notSimulated } from './cloud-error.ts';

/** What an XML element holds; undefined leaves it out, an array repeats it. */
export type XmlNode =
  string | number | boolean | undefined | readonly XmlNode[] | { readonly [name: string]: XmlNode };

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  suppressEmptyNode: true,
});

/** An XML document of one root element. */
export function xmlDocument(
  root: string,
  namespace: string,
  content: Readonly<Record<string, XmlNode>>,
): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: { '@xmlns': namespace, ...content } })}`;
}

/** A time as AWS writes it. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** The parameters of a query request. What a handler does not read is not simulated, and `done` says so. */
export interface QueryParams {
  readonly text: (name: string) => string | null;
  /** Throws where the parameter is absent. */
  readonly need: (name: string) => string;
  /** A whole number within the bounds, or null; throws where it is something else. */
  readonly int: (name: string, least: number, most: number) => number | null;
  readonly flag: (name: string) => boolean | null;
  /** NAME.1, NAME.2 … or NAME.member.1 … */
  readonly list: (name: string) => readonly string[];
  /** NAME.1.FIELD …: one set of parameters for each. */
  readonly objects: (name: string) => readonly QueryParams[];
  /** Reads and drops what changes nothing in the sandbox. */
  readonly ignore: (...names: readonly string[]) => void;
  /** Throws a 501 that names the parameters that nobody read. Call it before anything is changed. */
  readonly done: () => void;
}

function indexed(names: Iterable<string>, prefix: string): readonly string[] {
  const pattern = new RegExp(`^${prefix.replace(/\./g, '\\.')}(\\.member)?\\.(\\d+)`);
  const found = new Map<number, string>();
  for (const name of names) {
    const match = pattern.exec(name);
    if (match !== null) found.set(Number(match[2]), match[0]);
  }
  return [...found.entries()].sort(([left], [right]) => left - right).map(([, key]) => key);
}

function paramsUnder(form: ReadonlyMap<string, string>, unread: Set<string>, prefix: string): QueryParams {
  const take = (key: string): string | null => {
    unread.delete(key);
    return form.get(key) ?? null;
  };
  const text = (name: string): string | null => take(prefix + name);
  return {
    text,
    need(name) {
      const value = text(name);
      if (value === null || value === '') {
        throw new CloudError('MissingParameter', `The request must contain the parameter ${prefix}${name}`);
      }
      return value;
    },
    int(name, least, most) {
      const value = text(name);
      if (value === null) return null;
      if (!/^-?\d+$/.test(value) || Number(value) < least || Number(value) > most) {
        throw new CloudError(
          'ValidationError',
          `Value ${value} of ${prefix}${name} is not within ${String(least)} and ${String(most)}`,
        );
      }
      return Number(value);
    },
    flag(name) {
      const value = text(name);
      return value === null ? null : value === 'true';
    },
    list: (name) => indexed(form.keys(), prefix + name).map((key) => take(key) ?? ''),
    objects: (name) => indexed(form.keys(), prefix + name).map((key) => paramsUnder(form, unread, `${key}.`)),
    ignore(...names) {
      for (const name of names) {
        for (const key of unread) {
          if (key === prefix + name || key.startsWith(`${prefix}${name}.`)) unread.delete(key);
        }
      }
    },
    done() {
      if (unread.size > 0) throw notSimulated(`the parameters ${[...unread].join(', ')}`);
    },
  };
}

/** More fields than any request of AWS needs: reading lists takes time by their square. */
const MOST_FIELDS = 3_000;

/** Reads the form of a query request. Throws where it has more fields than any of AWS. */
export function queryParams(body: string): QueryParams {
  const form = new Map(new URLSearchParams(body));
  if (form.size > MOST_FIELDS) {
    throw new CloudError(
      'RequestTooLong',
      `the request has ${form.size} fields; at most ${MOST_FIELDS} are taken`,
    );
  }
  return paramsUnder(form, new Set(form.keys()), '');
}

/** One page of `items` from a token on, and the token of the next. Tokens name the last item shown, so that they stay true while items come and go. */
export function page<T>(
  items: readonly T[],
  size: number,
  token: string | null,
  idOf: (item: T) => string,
  bad: () => CloudError,
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  let start = 0;
  if (token !== null) {
    const last = Buffer.from(token, 'base64url').toString();
    start = items.findIndex((item) => idOf(item) === last) + 1;
    if (start === 0) throw bad();
  }
  const shown = items.slice(start, start + size);
  const last = shown.at(-1);
  const more = start + size < items.length && last !== undefined;
  return { items: shown, nextToken: more ? Buffer.from(idOf(last)).toString('base64url') : undefined };
}

/**
 * Whether a value matches a filter's, in which `*` stands for any characters and `?` for one. Goes back to the last `*`
 * alone: a regular expression of many of them would try every way to share the value out between them.
 */
export function matchesFilter(pattern: string, value: string): boolean {
  let [at, next] = [0, 0];
  let star: { readonly next: number; at: number } | null = null;
  while (at < value.length) {
    const wanted = pattern[next];
    if (wanted === '*') {
      next += 1;
      star = { next, at };
    } else if (wanted === '?' || wanted === value[at]) {
      at += 1;
      next += 1;
    } else if (star !== null) {
      star.at += 1;
      [at, next] = [star.at, star.next];
    } else return false;
  }
  return /^\**$/.test(pattern.slice(next));
}
