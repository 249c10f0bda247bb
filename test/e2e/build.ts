import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const BUNDLE = join(ROOT, 'dist/main.js');

/**
 * Builds what ships, if it is older than what it is made of. `E2E_PROGRAM` names another program to test, as it is
 * (`src/main.ts`, for one): nothing is built then.
 */
export async function setup(): Promise<void> {
  if (process.env['E2E_PROGRAM'] !== undefined) return;
  const built = await changedAt(BUNDLE).catch(() => 0);
  const sources = await readdir(join(ROOT, 'src'), { recursive: true, withFileTypes: true });
  const files = sources.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
  const times = await Promise.all([...files, join(ROOT, 'package-lock.json')].map(changedAt));
  if (built > Math.max(...times)) return;
  const child = spawn(process.execPath, [join(ROOT, '.ci/build.ts')], { cwd: ROOT, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the build ended with ${code ?? 'a signal'}`);
}

/** What the instances of the end-to-end tests run. */
export function program(): string {
  return process.env['E2E_PROGRAM'] ?? BUNDLE;
}

async function changedAt(path: string): Promise<number> {
  return (await stat(path)).mtimeMs;
}
