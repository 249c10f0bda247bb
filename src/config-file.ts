import { open } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { MOST_PROBLEMS, printable, quote, shorten } from './config-content.ts';
import type { FileContent } from './config-content.ts';
import { ApplianceError, describeError } from './errors.ts';

/** Our settings are a page of text; what is larger is another file. */
const LARGEST_FILE_BYTES = 16 * 1024;

/** The text of the file at a path. Throws `configuration` where it cannot be read, is too large or is no text. */
export async function readConfigFile(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readStart(file));
  } catch (cause) {
    throw unreadable(file, cause instanceof TypeError ? 'is no UTF-8 text' : 'cannot be read', cause);
  }
}

/** The bytes of a file. Read up to the limit and no further, whatever the file is: a device has no end. */
async function readStart(file: string): Promise<Uint8Array> {
  await using handle = await open(file);
  const buffer = Buffer.alloc(LARGEST_FILE_BYTES + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, size, buffer.length - size, null);
    size += bytesRead;
    if (size > LARGEST_FILE_BYTES) throw unreadable(file, `is larger than ${LARGEST_FILE_BYTES / 1024} KiB`);
    if (bytesRead === 0) return buffer.subarray(0, size);
  }
}

function unreadable(file: string, what: string, cause?: unknown): ApplianceError {
  if (cause instanceof ApplianceError) return cause;
  const problem = `--config: ${quote(file)} ${what}; allowed is the path of a readable YAML file`;
  return new ApplianceError({ code: 'configuration', problems: [problem] }, problem, { cause });
}

/**
 * The file as texts and lists of texts. The failsafe schema leaves every scalar as it is written: by YAML's own rules
 * 3.10 would be the number 3.1, and no would be false.
 */
export function readYaml(text: string): FileContent {
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: true });
  // A warning says that a tag or a directive has no effect.
  const wrong = [...document.errors, ...document.warnings]
    .slice(0, MOST_PROBLEMS)
    .map(({ message }) => message);
  const content = wrong.length === 0 ? resolved(document, wrong) : null;
  if (wrong.length > 0) {
    const lines = wrong.map((message) => message.split('\n', 1)[0] ?? '');
    return { values: {}, problems: lines.map((line) => `the file: ${shorten(printable(line), 300)}`) };
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return {
      values: {},
      problems: [`the file: ${quote(content)} is not allowed; allowed are lines of KEY: value`],
    };
  }
  return { values: { ...content }, problems: [] };
}

/** What the document holds; notes in `wrong` what its aliases make impossible. */
function resolved(document: ReturnType<typeof parseDocument>, wrong: string[]): unknown {
  try {
    // A file of comments, or of `---` alone, is an empty text to this schema.
    const content: unknown = document.toJS() || {};
    // Throws where a value holds itself.
    JSON.stringify(content);
    return content;
  } catch (error) {
    const why = error instanceof TypeError ? 'a value holds itself' : describeError(error);
    wrong.push(`${why}; allowed are values without aliases`);
    return null;
  }
}
