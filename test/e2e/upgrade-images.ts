import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdBinary } from '../tools.ts';

/** A minor, as it was prepared; or what stands in for one. */
export type ImagePart =
  string | { readonly version: string; readonly make: (folder: string) => Promise<void> };

/** A folder with these etcds, as an image would have it. */
export async function imageWith(directory: string, parts: readonly ImagePart[]): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const part of parts) {
    if (typeof part === 'string') {
      const { directory: prepared, version } = await etcdBinary(part);
      await symlink(prepared, join(directory, version));
    } else {
      const folder = join(directory, part.version);
      await mkdir(folder);
      await part.make(folder);
    }
  }
  return directory;
}

/** An etcd that says its version, and ends at once when it is to serve. */
export function crashing(version: string): ImagePart {
  const script = `#!/bin/sh\nif [ "$1" = --version ]; then echo "etcd Version: ${version}"; exit 0; fi\necho "this etcd ends at its start" >&2\nexit 2\n`;
  return {
    version,
    make: async (folder) => {
      await writeFile(join(folder, 'etcd'), script);
      await chmod(join(folder, 'etcd'), 0o755);
    },
  };
}

/** The prepared etcd of a minor as another patch release: the same program, that calls itself by the other version. */
export async function asPatch(minor: string, version: string): Promise<Exclude<ImagePart, string>> {
  const { etcd, version: own } = await etcdBinary(minor);
  if (own.length !== version.length)
    throw new Error(`${own} cannot be called ${version}: as many characters`);
  return {
    version,
    make: async (folder) => {
      const program = await readFile(etcd);
      for (let at = program.indexOf(own); at !== -1; at = program.indexOf(own, at))
        program.write(version, at);
      await writeFile(join(folder, 'etcd'), program);
      await chmod(join(folder, 'etcd'), 0o755);
    },
  };
}

/** The prepared etcd of a minor, which ends at its start while `isBroken` is the name of a file. */
export async function breakable(minor: string, isBroken: string): Promise<ImagePart> {
  const { etcd, version } = await etcdBinary(minor);
  const script = `#!/bin/sh\nif [ "$1" != --version ] && [ -e '${isBroken}' ]; then echo "this etcd ends at its start" >&2; exit 2; fi\nexec '${etcd}' "$@"\n`;
  return {
    version,
    make: async (folder) => {
      await writeFile(join(folder, 'etcd'), script);
      await chmod(join(folder, 'etcd'), 0o755);
    },
  };
}

/** The prepared etcd of a minor, which nobody may execute. */
export async function notExecutable(minor: string): Promise<ImagePart> {
  const { etcd, version } = await etcdBinary(minor);
  return {
    version,
    make: async (folder) => {
      await copyFile(etcd, join(folder, 'etcd'));
      await chmod(join(folder, 'etcd'), 0o644);
    },
  };
}

/** Puts the prepared etcd of a minor in the place of what stood in for it. */
export async function mend(image: string, minor: string): Promise<void> {
  const { directory, version } = await etcdBinary(minor);
  await rm(join(image, version), { recursive: true });
  await symlink(directory, join(image, version));
}

/** Takes an etcd out of an image; gives how to put it back. */
export async function takeOut(image: string, minor: string): Promise<() => Promise<void>> {
  const { directory, version } = await etcdBinary(minor);
  await rm(join(image, version));
  return async () => await symlink(directory, join(image, version));
}
