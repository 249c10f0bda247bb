import { BIRTH_BUGS } from './births.ts';
import type { Bug } from './bug.ts';
import { HOUSE_BUGS } from './house.ts';
import { MEMBER_BUGS } from './members.ts';
import { UPGRADE_BUGS } from './upgrades.ts';

/** Every planted bug: at least two against each law. */
export const BUGS: readonly Bug[] = [...BIRTH_BUGS, ...MEMBER_BUGS, ...HOUSE_BUGS, ...UPGRADE_BUGS];
