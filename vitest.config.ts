import { defineConfig } from 'vitest/config';

const project = (
  name: string,
  options: { timeout?: number; serial?: boolean; setup?: readonly string[] } = {},
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeout ?? 10_000,
    hookTimeout: options.timeout ?? 10_000,
    fileParallelism: options.serial !== true,
    globalSetup: [...(options.setup ?? [])],
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('property', { timeout: 60_000 }),
      project('contract', { timeout: 60_000 }),
      project('integration', { timeout: 60_000 }),
      project('e2e', { timeout: 180_000, serial: true, setup: ['test/e2e/build.ts'] }),
      // Not in npm test: what takes minutes by its nature (npm run torture).
      project('torture', { timeout: 900_000, serial: true, setup: ['test/e2e/build.ts'] }),
    ],
  },
});
