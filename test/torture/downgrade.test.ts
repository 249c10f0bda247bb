import { describeDowngrade } from '../upgrade-lab/downgrades.ts';

describeDowngrade({ from: '3.7', to: '3.6' });
