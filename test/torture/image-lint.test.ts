import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { HADOLINT_DIRECTORY } from '../tools.ts';

const run = promisify(execFile);
const hadolint = (file: string) => run(join(HADOLINT_DIRECTORY, 'bin/hadolint'), ['--no-color', file]);

test('hadolint has nothing to say about the Dockerfile', async () => {
  expect((await hadolint('docker/Dockerfile')).stdout).toBe('');
});
