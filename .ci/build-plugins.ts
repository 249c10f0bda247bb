import { readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import type { Plugin } from 'esbuild';

/*
 * What the bundler is told about packages, each for a measured reason (`npm run bench`). A package that comes to be
 * written in another way makes the build fail, not the program.
 */

/**
 * Node's own modules are required, not imported: an import makes Node read every export of the module first, and that of
 * node:http loads a whole HTTP client that nothing here uses (a tenth of the start).
 */
export const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path, kind, namespace }) =>
      namespace !== 'builtin' && kind !== 'require-call' && isBuiltin(path)
        ? { path: path.replace(/^node:/, ''), namespace: 'builtin' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('node:${path}');`,
      loader: 'js',
    }));
  },
};

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

function replaced(path: string, source: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${path} no longer says ${from}: mend .ci/build-plugins.ts`);
    return text.replace(from, to);
  }, source);
}
