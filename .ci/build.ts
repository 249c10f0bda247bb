import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import {
  etcd3Protocol,
  externalBuiltins,
  gettingBuiltins,
  noLogWorkers,
  noReflection,
  noTraces,
  sdkShapes,
} from './build-plugins.ts';

/*
 * `npm run build`: the program as it ships, in dist/, which works without node_modules. Bundled it starts in half the
 * time and holds two thirds of the memory. Each verb that is loaded on demand is a file of its own, so that `run`
 * carries nothing of the sandbox.
 */

/** Another folder for a test that builds beside the rest. */
const OUT = process.argv[2] ?? 'dist';

/**
 * Lets Node keep the compiled form of what it loads beside the program, wherever that is moved to, and read it at the
 * next start: a third of the start's processor time. Where the folder is another user's, or cannot be written, nothing is
 * kept. The variable and not an option: Node before 24.12 takes a path and nothing else.
 */
const KEEP_COMPILED = `
process.env.NODE_COMPILE_CACHE_PORTABLE = '1';
process.getBuiltinModule('node:module').enableCompileCache(FOLDER + '/cache');
delete process.env.NODE_COMPILE_CACHE_PORTABLE;
`;

/** What is run. */
const ENTRY = `#!/usr/bin/env node
const FOLDER = import.meta.dirname;${KEEP_COMPILED}await import('./cli.js');
`;

/** Loads every file but those that run something, so that their compiled form is kept. */
const LOAD_ALL = `
const [FOLDER, ...files] = process.argv.slice(1);${KEEP_COMPILED}
for (const file of files) await import(FOLDER + '/' + file);
process.exit(0);
`;

await rm(OUT, { recursive: true, force: true });
const startedAt = performance.now();
const { outputFiles } = await build({
  entryPoints: { cli: 'src/main.ts' },
  outdir: OUT,
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // The packages' own modules, where they have them, so that what is not used is left out.
  mainFields: ['module', 'main'],
  conditions: ['module'],
  legalComments: 'linked',
  chunkNames: '[name]-[hash]',
  plugins: [externalBuiltins, sdkShapes, etcd3Protocol, noLogWorkers, noReflection, noTraces],
  logLevel: 'warning',
  write: false,
});
await mkdir(OUT, { recursive: true });
for (const { path: file, text } of outputFiles) {
  await writeFile(file, file.endsWith('.js') ? gettingBuiltins(text) : text);
}
await writeFile(path.join(OUT, 'package.json'), '{ "type": "module" }\n');
await writeFile(path.join(OUT, 'main.js'), ENTRY);
await chmod(path.join(OUT, 'main.js'), 0o755);

const loaded = (await readdir(OUT)).filter(
  (name) => name.endsWith('.js') && name !== 'main.js' && name !== 'cli.js',
);
execFileSync(process.execPath, ['--input-type=module', '-e', LOAD_ALL, path.resolve(OUT), ...loaded]);
execFileSync(process.execPath, [path.join(OUT, 'main.js'), 'version'], { stdio: 'ignore' });

const files = (await readdir(OUT)).filter((name) => name.endsWith('.js'));
const sizes = await Promise.all(files.map(async (name) => (await stat(path.join(OUT, name))).size));
const megabytes = sizes.reduce((sum, size) => sum + size, 0) / 1e6;
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${OUT}/main.js and ${files.length - 1} files that it loads, ${megabytes.toFixed(1)} MB, in ${seconds.toFixed(1)} s`,
);
