import { describeDowngrade } from '../upgrade-lab/downgrades.ts';

/* From 3.6 to 3.5 the same goes on in test/upgrade-lab. */
describeDowngrade({ from: '3.7', to: '3.6' });
