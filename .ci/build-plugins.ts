import { readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import type { Plugin } from 'esbuild';

/*
 * What the bundler is told about packages, each for a measured reason (`npm run bench`). A package that comes to be
 * written in another way makes the build fail, not the program.
 */

/** Leaves Node's own modules to `gettingBuiltins`. */
export const externalBuiltins: Plugin = {
  name: 'external-builtins',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path }) =>
      isBuiltin(path) ? { path: `node:${path.replace(/^node:/, '')}`, external: true } : undefined,
    );
  },
};

const IMPORTED =
  /^import (?:([\w$]+)(?:, | ))?(?:\* as ([\w$]+) |\{([^{}]*)\} )?(?:from )?"(node:[\w/]+)";$/gm;

/**
 * What was bundled, with Node's own modules got instead of imported: an import makes Node read every export of the module
 * first, and that of node:http loads a whole HTTP client, that of node:util a differ, which nothing here uses (a tenth of
 * the start). What only CommonJS packages take for granted is added where one of them wants it.
 */
export function gettingBuiltins(source: string): string {
  const got = source
    .replace(IMPORTED, (_, whole?: string, namespace?: string, names?: string, path = '') => {
      const targets = [
        whole,
        namespace,
        names === undefined ? undefined : `{${names.replaceAll(' as ', ': ')}}`,
      ];
      const lines = targets.flatMap((it) =>
        it === undefined || it === '' ? [] : [`const ${it.replaceAll('\n', ' ')} = ${getting(path)};`],
      );
      return lines.join(' ');
    })
    .replace(/\b__require\("(node:[\w/]+)"\)/g, (_, path: string) => getting(path))
    .replace(/\bimport\("(node:[\w/]+)"\)/g, (_, path: string) => `Promise.resolve(${getting(path)})`);
  const left = /^(?:import|export) .* from "node:.*$/m.exec(got);
  if (left !== null) throw new Error(`${left[0]}: another form of import: mend .ci/build-plugins.ts`);
  const needed = Object.entries(OF_COMMONJS).flatMap(([name, value]) =>
    new RegExp(`\\b${name}\\b`).test(got) ? [`const ${name} = ${value};`] : [],
  );
  const [, shebang = '', rest = ''] = /^(#!.*\n)?([^]*)$/.exec(got) ?? [];
  return `${shebang}${needed.join(' ')}\n${rest}`;
}

/** What CommonJS packages take for granted. Each output file has a scope of its own. */
const OF_COMMONJS = {
  require: `${getting('node:module')}.createRequire(import.meta.url)`,
  __filename: 'import.meta.filename',
  __dirname: 'import.meta.dirname',
};

function getting(path: string): string {
  return `process.getBuiltinModule("${path}")`;
}

/**
 * The SDK describes every shape of a service in one file, as arrays whose keys are computed from constants. Computed keys
 * keep the bundler from leaving out what is not used: of EC2's shapes that is nineteen in twenty.
 */
export const sdkShapes: Plugin = {
  name: 'sdk-shapes',
  setup: ({ onLoad }) => {
    onLoad({ filter: /client-[\w-]+[/\\]dist-es[/\\]schemas[/\\]schemas_0\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const constants = new Map(
        [...source.matchAll(/^const (_\w+) = ("(?:[^"\\]|\\.)*");$/gm)].map(([, name = '', value = '']) => [
          name,
          value,
        ]),
      );
      const contents = source.replace(/\[(_\w+)\]:/g, (found, name: string) => {
        const value = constants.get(name);
        return value === undefined ? found : `${value}:`;
      });
      if (contents === source)
        throw new Error(`${path} describes its shapes in another way: mend .ci/build-plugins.ts`);
      return { contents, loader: 'js' };
    });
  },
};

/** The options with which etcd3 reads its protocol, as far as they change what is read. */
const PROTOCOL_OPTIONS = { keepCase: true };

/** etcd3 parses its protocol files at every start: parsed when built, they are an object in the bundle. */
export const etcd3Protocol: Plugin = {
  name: 'etcd3-protocol',
  setup: ({ onResolve, onLoad }) => {
    onLoad({ filter: /etcd3[/\\]lib[/\\]connection-pool\.js$/ }, async ({ path }) => ({
      contents: replaced(path, await readFile(path, 'utf8'), [
        ['.loadSync)(`${__dirname}/../proto/rpc.proto`', ".fromJSON)(require('etcd3-protocol')"],
      ]),
      loader: 'js',
    }));
    onResolve({ filter: /^etcd3-protocol$/ }, ({ path }) => ({ path, namespace: 'etcd3-protocol' }));
    onLoad({ filter: /.*/, namespace: 'etcd3-protocol' }, () => ({
      contents: JSON.stringify(readProtocol()),
      loader: 'json',
    }));
  },
};

function readProtocol(): unknown {
  const etcd3 = createRequire(createRequire(import.meta.url).resolve('etcd3'));
  const protobuf = createRequire(etcd3.resolve('@grpc/proto-loader'))('protobufjs') as {
    readonly Root: new () => {
      loadSync(file: string, options: object): { toJSON(): unknown };
    };
  };
  return new protobuf.Root().loadSync(etcd3.resolve('../proto/rpc.proto'), PROTOCOL_OPTIONS).toJSON();
}

/** Beside what a client needs, the loader describes every message for servers that tell others their protocol. */
export const noReflection: Plugin = {
  name: 'no-reflection',
  setup: ({ onLoad }) => {
    onLoad({ filter: /@grpc[/\\]proto-loader[/\\]build[/\\]src[/\\]index\.js$/ }, async ({ path }) => ({
      contents: replaced(path, await readFile(path, 'utf8'), [
        ['require("protobufjs/ext/descriptor")', '{}'],
        ["const descriptorList = root.toDescriptor('proto3').file;", 'const descriptorList = [];'],
        ["const messageDescriptor = message.toDescriptor('proto3');", ''],
        ['type: messageDescriptor.$type.toObject(messageDescriptor, descriptorOptions),', 'type: {},'],
        ["const enumDescriptor = enumType.toDescriptor('proto3');", ''],
        ['type: enumDescriptor.$type.toObject(enumDescriptor, descriptorOptions),', 'type: {},'],
      ]),
      loader: 'js',
    }));
  },
};

/** prom-client asks OpenTelemetry for the trace that a sample belongs to, where it is told to; it is not told to. */
export const noTraces: Plugin = {
  name: 'no-traces',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^@opentelemetry\/api$/ }, ({ path }) => ({ path, namespace: 'no-traces' }));
    onLoad({ filter: /.*/, namespace: 'no-traces' }, () => ({
      contents:
        'module.exports = { trace: { getSpan: () => undefined }, context: { active: () => undefined } };',
      loader: 'js',
    }));
  },
};

/** pino's ways to write to files and to other threads, and to find out in which it is: our output is one of our own. */
export const noLogWorkers: Plugin = {
  name: 'no-log-workers',
  setup: ({ onLoad }) => {
    onLoad({ filter: /(?:pino[/\\]lib[/\\]transport|sonic-boom[/\\]index)\.js$/ }, () => ({
      contents: "module.exports = function () { throw new Error('logs go to an output of their own'); };",
      loader: 'js',
    }));
    onLoad({ filter: /pino[/\\]lib[/\\]tools\.js$/ }, async ({ path }) => ({
      contents: replaced(path, await readFile(path, 'utf8'), [
        ["const { isMainThread } = require('worker_threads')", 'const isMainThread = true'],
      ]),
      loader: 'js',
    }));
  },
};

function replaced(path: string, source: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${path} no longer says ${from}: mend .ci/build-plugins.ts`);
    return text.replace(from, to);
  }, source);
}
