import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/*
 * Puts `planted` in front of every function that one module of `src/core` and `src/daemon` takes from another, so that a
 * bug can be planted without a change of the sources; what a test takes from there has none. To be imported in a thread of
 * its own, before all that imports them.
 */

const SRC = new URL('../../../src/', import.meta.url).href;
const PLANTED = new URL('planted.ts', import.meta.url).href;
const WRAPPER = '?planted';
const ORIGINAL = '?original';
const EXPORTED_FUNCTION = /^export (?:async )?function (\w+)/gm;

function isOurs(url: string | undefined): boolean {
  return url !== undefined && (url.startsWith(`${SRC}core/`) || url.startsWith(`${SRC}daemon/`));
}

/** A module that exports what the one at `url` does, each function behind `planted`. */
function wrapperOf(url: string): string {
  const names = [...readFileSync(fileURLToPath(url), 'utf8').matchAll(EXPORTED_FUNCTION)].map(
    (it) => it[1] ?? '',
  );
  const original = JSON.stringify(url + ORIGINAL);
  return [
    `import { planted } from ${JSON.stringify(PLANTED)};`,
    `import * as original from ${original};`,
    // What is named below takes precedence.
    `export * from ${original};`,
    ...names.map((name) => `export const ${name} = planted('${name}', original.${name});`),
  ].join('\n');
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    if (specifier.endsWith(ORIGINAL) || !isOurs(resolved.url) || !isOurs(context.parentURL)) return resolved;
    return { ...resolved, url: resolved.url + WRAPPER };
  },
  load(url, context, nextLoad) {
    if (!url.endsWith(WRAPPER)) return nextLoad(url, context);
    return { format: 'module', source: wrapperOf(url.slice(0, -WRAPPER.length)), shortCircuit: true };
  },
});
