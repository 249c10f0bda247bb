/** What sysexits calls a wrong command line. */
const USAGE_CODE = 64;

/**
 * What `read` makes of the command line; null where it throws: then what it said and the usage were printed, one after the
 * other, and the process will exit with 64.
 */
export function readCommandLine<T>(read: () => T, usage: string): T | null {
  try {
    return read();
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
    console.error(usage);
    return null;
  }
}

/** Says in one line what is wrong with what was asked for; the process will exit with 64. */
export function refuse(why: string): void {
  console.error(why);
  process.exitCode = USAGE_CODE;
}

/** The whole number that an option gives; throws with a line that says what is wrong. */
export function wholeNumber(option: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < min)
    throw new Error(`--${option} ${text}: give a whole number from ${min}`);
  return value;
}
