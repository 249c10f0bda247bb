import { pino } from 'pino';
import { describeError } from '../errors.ts';
import type { LogOutput } from './log-output.ts';

/** Structured log: fields, and a static message. An error goes under `error`. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Levels that can be asked for. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where log lines go. */
export interface LogOptions {
  readonly level: LogLevel;
  /** For people at a terminal instead of JSON lines. */
  readonly pretty: boolean;
  readonly output: LogOutput;
}

/** The log of one appliance. */
export interface ApplianceLog {
  /** A log whose lines name the part that they come from. */
  component(name: string): Log;
  /** Passes one line of etcd's own log on: its own fields, time and level stay as they are. */
  etcdLine(line: string): void;
  /** Waits a second at most until all is written. Call it last. */
  flush(): Promise<void>;
}

const SECRETS = ['secretAccessKey', 'sessionToken', 'authorization', 'password'];
const RANK: Readonly<Record<string, number>> = {
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  dpanic: 60,
  panic: 60,
  fatal: 60,
};

/** Creates the log. JSON lines by pino; pino-pretty is loaded only where it is asked for. */
export async function createLog(options: LogOptions): Promise<ApplianceLog> {
  const output = options.pretty ? await makePretty(options.output) : options.output;
  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError },
      redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`]), censor: '(secret)' },
    },
    output,
  );
  return {
    component: (name) => root.child({ component: name }),
    etcdLine: (line) => {
      const rendered = renderEtcdLine(line, options);
      if (rendered !== null) output.write(`${rendered}\n`);
    },
    flush: () => output.flush(1000),
  };
}

/** pino-pretty around an output; loaded only here, since no service needs it. */
async function makePretty(output: LogOutput): Promise<LogOutput> {
  const { prettyFactory } = await import('pino-pretty');
  const render = prettyFactory({
    colorize: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: '{component}: {msg}',
    ignore: 'component,caller,ts,pid',
  });
  return { write: (line) => output.write(render(line) ?? line), flush: (limitMs) => output.flush(limitMs) };
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? { code: error.code } : {};
  return { type: error.name, message: describeError(error), ...code, stack: stackOf(error) };
}

/** The stack of an error and of its causes: what failed is said on the outside, where it failed on the inside. */
function stackOf(error: Error): string {
  const stacks: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && stacks.length < 5) {
    stacks.push(current.stack ?? current.message);
    current = current.cause;
  }
  return stacks.join('\ncaused by ');
}

/** etcd's line as one JSON line with `component`, or null where its level is not wanted. A panic's trace is plain text. */
function renderEtcdLine(line: string, { level, pretty }: LogOptions): string | null {
  const wanted = RANK[level] ?? 30;
  const own = parseObject(line);
  if (own === null) {
    if (line.trim() === '' || wanted > 40) return null;
    return JSON.stringify({ level: 'warn', time: new Date().toISOString(), component: 'etcd', msg: line });
  }
  if ((RANK[String(own['level'])] ?? 30) < wanted) return null;
  // The pretty printer knows no dpanic, and looks for the time under its own name.
  if (pretty)
    return JSON.stringify({ ...own, level: prettyLevel(own['level']), time: own['ts'], component: 'etcd' });
  // Spliced, not parsed and written again: JavaScript's numbers would round etcd's.
  return Object.keys(own).length === 0 ? null : `{"component":"etcd",${line.trim().slice(1)}`;
}

function prettyLevel(level: unknown): string {
  return (RANK[String(level)] ?? 30) === 60 ? 'fatal' : String(level);
}

function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
