import type { EtcdExit } from '../core/local-data.ts';

/** One line of etcd's log. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'panic';
  readonly message: string;
  /** The `error` field; empty where there is none. */
  readonly error: string;
  /** All other fields, without time and stack trace. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** It is no line of etcd's log, nor a part of one. */
  readonly plain: boolean;
}

const LEVELS: Readonly<Record<string, LogLine['level']>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  dpanic: 'panic',
  panic: 'panic',
  fatal: 'fatal',
};

/** First words of what the Go runtime, or etcd before it has a log, writes as its last. */
const PLAIN_FATAL =
  /^(panic: |fatal error: |runtime: out of memory|flag provided but not defined|invalid value |error verifying )/;

/** Reads one line: etcd writes JSON objects (zap); what is no such object is a line of the Go runtime. */
export function parseLogLine(text: string): LogLine {
  const record = jsonObject(text);
  if (record === null) {
    const level = PLAIN_FATAL.test(text) ? 'panic' : 'warn';
    const plain = !text.startsWith('{');
    return { level, message: text.replace(/^panic: /, ''), error: '', fields: {}, plain };
  }
  const { level, msg, error, ts, stacktrace, errorVerbose, ...fields } = record;
  void ts;
  void stacktrace;
  void errorVerbose;
  return {
    level: LEVELS[String(level)] ?? 'info',
    message: typeof msg === 'string' ? msg : text,
    error: typeof error === 'string' ? error : '',
    fields,
    plain: false,
  };
}

/** What the lines of one run say about its end; grows line by line. */
export interface Verdict extends Pick<EtcdExit, 'saysRemoved' | 'saysDamaged' | 'lastWords'> {
  readonly saysOtherMembers: boolean;
  readonly saysTooOld: boolean;
  readonly saysFull: boolean;
  /** It restarted from a log that names no member: that ends in a panic, differently worded in each version. */
  readonly namelessLog: boolean;
  /** Go's runtime stopped it, and where is not told yet: the first function of etcd's in the stack says it. */
  readonly stoppedByRuntime: boolean;
  /** The last line, where it is none of etcd's log; else empty. */
  readonly plainWords: string;
  /** It took a snapshot from the leader and put it in place. */
  readonly seeded: boolean;
  /** Defragmentations that were begun and are not over. */
  readonly defragments: number;
  /** It began to put a snapshot of the leader in place, and has not ended that: the words of 3.4 to 3.7. */
  readonly restores: boolean;
}

export const NO_VERDICT: Verdict = {
  saysRemoved: false,
  saysOtherMembers: false,
  saysTooOld: false,
  saysFull: false,
  saysDamaged: null,
  lastWords: '',
  namelessLog: false,
  stoppedByRuntime: false,
  plainWords: '',
  seeded: false,
  defragments: 0,
  restores: false,
};

/** A verdict after one more line. The first word on damage stands: what follows it are consequences. */
export function judge(verdict: Verdict, line: LogLine): Verdict {
  const isLast = line.level === 'fatal' || line.level === 'panic';
  // Of the copy that comes before a repair, it only warns.
  const isRoomWanted = isLast || line.level === 'error' || line.message === 'failed to copy';
  // zap's panic line is followed by Go's own, which says less.
  const repeats = isLast && line.error === '' && verdict.lastWords.startsWith(line.message.slice(0, 200));
  return {
    saysRemoved: verdict.saysRemoved || line.error.includes('the member has been permanently removed'),
    saysOtherMembers:
      verdict.saysOtherMembers || (isLast && line.error.startsWith('error validating peerURLs')),
    saysTooOld:
      verdict.saysTooOld || (isLast && (TOO_OLD.test(line.message) || TOO_OLD_DATA.test(line.error))),
    saysFull: verdict.saysFull || (isRoomWanted && NO_ROOM.test(`${line.message} ${line.error}`)),
    saysDamaged: verdict.saysDamaged ?? damageAfter(verdict, line, isLast),
    stoppedByRuntime: isRuntimeError(line) || (verdict.stoppedByRuntime && !OWN_FUNCTION.test(line.message)),
    plainWords: plainWordsAfter(verdict, line),
    namelessLog: verdict.namelessLog || isNameless(line),
    seeded: verdict.seeded || line.message === SEEDED,
    defragments: Math.max(0, verdict.defragments + defragmentsIn(line)),
    restores: line.message === 'applying snapshot' || (verdict.restores && line.message !== SEEDED),
    lastWords: isLast && !repeats ? words(line) : verdict.lastWords,
  };
}

/** A snapshot of the leader is in place, in all versions. */
const SEEDED = 'applied snapshot';

/** The words of 3.4 to 3.7: asked for by a client, one after the other. */
function defragmentsIn({ message }: LogLine): number {
  if (message === 'starting defragment') return 1;
  return message === 'finished defragment' || message === 'failed to defragment' ? -1 : 0;
}

/** The system's own words, wherever etcd repeats them. */
const NO_ROOM = /no space left on device|disk quota exceeded/i;

/** 3.4 and 3.5 of a newer cluster; 3.6 of newer data (test/torture/going-back). */
const TOO_OLD = /^invalid downgrade; server version is lower/;
const TOO_OLD_DATA = /^version "[^"]+" is not supported/;

/*
 * What etcd 3.4.23, 3.5.35, 3.6.16 and 3.7.3 said when their files were damaged on purpose (test/integration). A fatal
 * line's error decides, not its message: "discovery failed" and "failed to open database" are also said of a full disk,
 * of wrong rights, of a lock and of a version that does not fit.
 */
const WAL_ERRORS = [
  /^walpb: crc mismatch/,
  /^wal: (?!.*(no space|permission))/,
  // A record that is none. Said of the log alone: what else etcd cannot decode makes it panic. From 3.7 on the space is one that
  // does not break, or is not, as each build has it.
  /^proto:\s/,
  // Since 3.5.35, 3.6.16 and 3.7.3 at the latest with a record that claims more than is left of its file.
  /^unexpected EOF(?:$|: \[wal\] )/,
];
/** Raft's own: the leader knows this member to have held more than it now finds. It will say so at every start. */
const WAL_PANICS = [/^tocommit\(\d+\) is out of range \[lastIndex\(\d+\)\]/];
const DATABASE_ERRORS = [
  /^(invalid database|checksum error|file size too small|version mismatch)/,
  // The log's snapshot says that there must be a database of a certain index.
  /snapshot file doesn't exist/,
];
const DATABASE_PANICS = [
  // A page of the database is beyond the file's end: nothing else of etcd's is mapped into memory.
  /^fatal error: fault$/,
  /^freepages: /,
  /^assertion failed: (Page expected|page \d+)/,
  /^(page \d+|invalid page type|unexpected page type|page type is not)/,
];

function damageIn(line: LogLine): 'wal' | 'database' | null {
  const said = (patterns: readonly RegExp[], text: string): boolean =>
    patterns.some((pattern) => pattern.test(text));
  // Its error is the decoder's, as of a log; the message says of what.
  if (line.message.startsWith('failed to unmarshal mvccpb')) return 'database';
  if (said(DATABASE_ERRORS, line.error) || said(DATABASE_PANICS, line.message)) return 'database';
  if (said(WAL_ERRORS, line.error) || said(WAL_PANICS, line.message)) return 'wal';
  return null;
}

function damageAfter(verdict: Verdict, line: LogLine, isLast: boolean): 'wal' | 'database' | null {
  // A page that leads anywhere makes bbolt reach beyond what there is.
  if (verdict.stoppedByRuntime && DATABASE_FUNCTION.test(line.message)) return 'database';
  if (!isLast) return null;
  return damageIn(line) ?? (verdict.namelessLog ? 'wal' : null);
}

/**
 * What of its data etcd could not read; `isFull`: there was no room on its disk. A log whose last record was cut off is copied
 * before it is repaired: without room for that etcd gives up, with the words of damage, and repairs it once there is some
 * (seen of 3.4.23, 3.5.35, 3.6.16 and 3.7.3, test/network).
 */
export function damageOf({ saysDamaged, lastWords }: Verdict, isFull: boolean): 'wal' | 'database' | null {
  return isFull && lastWords.startsWith(NOT_REPAIRED) ? null : saysDamaged;
}

const NOT_REPAIRED = 'failed to repair WAL';

const OWN_FUNCTION = /^go\.etcd\.io\//;
const DATABASE_FUNCTION = /^go\.etcd\.io\/bbolt[/.]/;

function isRuntimeError({ level, message }: LogLine): boolean {
  return level === 'panic' && /^runtime error: (slice bounds|index) out of range/.test(message);
}

/** 3.4 to 3.7 all say so before the panic; a member's id is never 0. */
function isNameless(line: LogLine): boolean {
  return line.message === 'restarting local member' && /^0+$/.test(String(line.fields['local-member-id']));
}

/** What came before a line of the log was no last word. */
function plainWordsAfter({ plainWords }: Verdict, { plain, message }: LogLine): string {
  if (!plain) return '';
  return message.trim() === '' ? plainWords : shortened(message.trim());
}

/**
 * What an etcd that has ended said last: the first of its fatal words, else the plain line that it ended with, whose first words
 * nobody knows (a shell's, the loader's); empty: neither.
 */
export function lastWordsOf({ lastWords, plainWords }: Verdict): string {
  return lastWords === '' ? plainWords : lastWords;
}

const LONGEST_WORDS = 300;

function words(line: LogLine): string {
  return shortened(line.error === '' ? line.message : `${line.message}: ${line.error}`);
}

function shortened(text: string): string {
  return text.length > LONGEST_WORDS ? `${text.slice(0, LONGEST_WORDS)}…` : text;
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  if (!text.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
