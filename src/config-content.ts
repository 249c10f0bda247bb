/** A file that is something else has thousands of problems: the first ones tell. */
export const MOST_PROBLEMS = 20;

/** What stands in a file, by key; empty where there are problems, one line each. */
export interface FileContent {
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

/** What there is where no file is named. */
export const NO_FILE: FileContent = { values: {}, problems: [] };

/** A value for a message: as JSON, short, in one line. */
export function quote(value: unknown): string {
  return shorten(printable(JSON.stringify(value) ?? String(value)), 80);
}

/** At most so many characters of it. */
export function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}

/** Without what would move a terminal's cursor. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}
