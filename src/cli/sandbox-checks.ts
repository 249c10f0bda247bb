import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { SETTINGS } from '../config-schema.ts';
import type { ConfigKey } from '../config-schema.ts';
import { ApplianceError } from '../errors.ts';

/** What the command line asks of a sandbox that is to be made. */
export interface AskedSandbox {
  readonly regions: readonly string[];
  readonly size: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly stack: string;
  readonly zone: string;
  readonly etcdDir: string;
  readonly etcdVersion?: string;
  readonly program?: string;
  readonly network?: string;
}

/** Throws `usage`, one line, for what no sandbox can be made of: before anything is started, and not as a cloud would say it. */
export async function checkAsked(asked: AskedSandbox): Promise<void> {
  checkSizes(asked);
  checkSetting('--stack', 'STACK_NAME', asked.stack);
  checkSetting('--zone', 'HOSTED_ZONE', asked.zone);
  if (asked.etcdVersion !== undefined) checkSetting('--etcd-version', 'ETCD_VERSION', asked.etcdVersion);
  if (asked.network !== undefined && !isLoopback(asked.network))
    throw usage(`--network "${asked.network}" is no network of the loopback: write 127.80`);
  await checkProgram(asked.program);
}

function checkSizes({ regions, size, min, max }: AskedSandbox): void {
  if (size.length !== 1 && size.length !== regions.length)
    throw usage(
      `--size ${size.join(',')}: give one number for all groups, or one for each of ${regions.length}`,
    );
  const wrong = size.find((number) => number < min || number > max);
  if (wrong !== undefined) throw usage(`--size ${wrong} is not from --min ${min} to --max ${max}`);
}

function checkSetting(option: string, key: ConfigKey, text: string): void {
  const { schema, allowed } = SETTINGS[key];
  if (!schema.safeParse(text).success)
    throw usage(`${option} "${text}" is not allowed; allowed is ${allowed}`);
}

function isLoopback(network: string): boolean {
  const second = /^127\.(\d{1,3})$/.exec(network)?.[1];
  return second !== undefined && Number(second) <= 255;
}

/** Throws `usage` where what instances are to run is no file that can be read. */
export async function checkProgram(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const isFile = await access(file, constants.R_OK)
    .then(() => stat(file))
    .then(
      (it) => it.isFile(),
      () => false,
    );
  if (!isFile) throw usage(`--program "${file}" is no file that can be read`);
}

/** Throws `usage` where a folder that was named is none. */
export async function checkFolder(option: string, folder: string): Promise<void> {
  const isFolder = await stat(folder).then(
    (it) => it.isDirectory(),
    () => false,
  );
  if (!isFolder) throw usage(`${option} "${folder}" is no folder`);
}

/** A number that an option gives. Throws `usage` for what is none: a blank is not 0. */
export function numberOf(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw usage(`"${text}" is no number`);
  return number;
}

/** The beginning of an instance's id, or its address. Throws `usage` for what every id begins with: it tells none from the others. */
export function wordOfInstance(text: string): string {
  const word = text.trim();
  if ('i-'.startsWith(word))
    throw usage(`"${text}" names no instance: write its id, the beginning of it, or its address`);
  return word;
}

/** What is thrown for a command line that cannot mean anything. */
export function usage(message: string): ApplianceError {
  return new ApplianceError({ code: 'usage' }, message);
}
