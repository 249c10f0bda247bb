import { defineConfig } from 'vitest/config';

const project = (name: string, options: { timeout?: number; serial?: boolean } = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeout ?? 10_000,
    hookTimeout: options.timeout ?? 10_000,
    fileParallelism: options.serial !== true,
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('property', { timeout: 60_000 }),
      project('contract', { timeout: 60_000 }),
      project('integration', { timeout: 60_000 }),
      project('e2e', { timeout: 180_000, serial: true }),
    ],
  },
});
