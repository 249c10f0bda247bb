import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ApplianceError } from '../../src/errors.ts';
import { createLog } from '../../src/http/log.ts';
import type { LogLevel } from '../../src/http/log.ts';

async function start(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = [];
  const log = await createLog({
    level: options.level ?? 'info',
    pretty: options.pretty ?? false,
    output: { write: (line) => void lines.push(line), flush: () => Promise.resolve() },
  });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('lines', () => {
  test('are JSON with level, time, component, fields and message', async () => {
    const { log, parsed } = await start();
    log.component('fleet').info({ instances: 3 }, 'fleet observed');
    expect(parsed()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        component: 'fleet',
        instances: 3,
        msg: 'fleet observed',
      },
    ]);
  });

  test('below the level are left out', async () => {
    const { log, parsed } = await start({ level: 'warn' });
    const part = log.component('x');
    part.debug({}, 'a');
    part.info({}, 'b');
    part.warn({}, 'c');
    part.error({}, 'd');
    expect(parsed().map((line) => line['msg'])).toEqual(['c', 'd']);
  });

  test('say an error with its causes, and no secret', async () => {
    const { log, parsed } = await start();
    const cause = new Error('connect ECONNREFUSED');
    const error = new ApplianceError({ code: 'unavailable', service: 'ec2' }, 'no answer', { cause });
    log
      .component('x')
      .error({ error, credentials: { secretAccessKey: 'hunter2' }, authorization: 'hunter2' }, 'failed');
    expect(parsed()[0]?.['error']).toMatchObject({
      type: 'ApplianceError',
      code: 'unavailable',
      message: 'no answer: connect ECONNREFUSED',
    });
    expect(JSON.stringify(parsed())).not.toContain('hunter2');
  });
});

describe("etcd's lines", () => {
  const LINE =
    '{"level":"info","ts":"2026-11-21T10:00:00.123456Z","caller":"x.go:1","msg":"ready","index":18446744073709551615}';

  test('are passed on as they are, with their component', async () => {
    const { log, lines } = await start();
    log.etcdLine(LINE);
    expect(lines).toEqual([`{"component":"etcd",${LINE.slice(1)}\n`]);
  });

  test('that are no JSON are kept as warnings; empty ones are not', async () => {
    const { log, parsed } = await start();
    for (const line of ['panic: not implemented', '', '  ', '{}', '{"level":']) log.etcdLine(line);
    expect(parsed()).toMatchObject([
      { level: 'warn', component: 'etcd', msg: 'panic: not implemented' },
      { level: 'warn', component: 'etcd', msg: '{"level":' },
    ]);
  });

  test('obey the level; a panic always passes', async () => {
    const { log, lines } = await start({ level: 'error' });
    for (const level of ['debug', 'info', 'warn', 'error', 'panic', 'fatal'])
      log.etcdLine(`{"level":"${level}","msg":"m"}`);
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual([
      'error',
      'panic',
      'fatal',
    ]);
  });
});

describe('pretty', () => {
  test('is for people', async () => {
    const { log, lines } = await start({ pretty: true });
    log.component('fleet').warn({ instances: 3 }, 'fleet observed');
    log.etcdLine('{"level":"dpanic","ts":"2026-11-21T10:00:00.123456Z","msg":"odd"}');
    expect(lines[0]).toMatch(/WARN.*fleet observed/);
    expect(lines[1]).toMatch(/FATAL.*odd/);
  });
});

describe('standard output', () => {
  const SCRIPT = `
    const { createLog } = await import('./src/http/log.ts');
    const { createStreamOutput } = await import('./src/http/log-output.ts');
    const log = await createLog({ level: 'info', pretty: false, output: createStreamOutput(process.stdout) });
    const part = log.component('x');
    process.stdin.once('data', () => {
      for (let index = 0; index < 5000; index += 1) part.info({ index }, 'line');
      void log.flush().then(() => { process.stderr.write('alive'); process.exit(0); });
    });
    process.stderr.write('up ');
  `;

  test('gets every line before the end', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], { stdio: 'pipe' });
    child.stdin.end('go');
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect(output.trimEnd().split('\n')).toHaveLength(5000);
  });

  test('whose reader has gone does not end the process', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], { stdio: 'pipe' });
    await once(child.stderr, 'data');
    child.stdout.destroy();
    child.stdin.end('go');
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect([said, code]).toEqual(['alive', 0]);
  });

  test('whose reader stalls neither stalls the process nor keeps it from ending', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], { stdio: 'pipe' });
    child.stdin.end('go');
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect([said, code]).toEqual(['up alive', 0]);
  });
});
