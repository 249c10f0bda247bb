import { CloudError } from './cloud-error.ts';
import type { CloudSettings } from './model.ts';

type Check = (value: unknown) => boolean;

const isAmount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isWhole: Check = (value) => isAmount(value) && Number.isInteger(value);
const isAmounts: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every(isAmount);
const isTexts: Check = (value) => Array.isArray(value) && value.every((one) => typeof one === 'string');

const DURATION = [isAmount, 'a number of milliseconds, 0 or more'] as const;

/** What each setting may be, and the words for it. */
const SETTINGS: Readonly<Record<keyof CloudSettings, readonly [check: Check, allowed: string]>> = {
  launchDelayMs: DURATION,
  terminationDelayMs: DURATION,
  shutdownGraceMs: DURATION,
  healthCheckMs: DURATION,
  scalingDelayMs: DURATION,
  unknownAfterLaunchMs: DURATION,
  terminatedVisibleMs: DURATION,
  stalenessMs: [isAmounts, 'numbers of milliseconds by the names of actions'],
  route53PendingMs: DURATION,
  route53RateLimit: [isAmount, 'a number of requests a second, 0 for no limit'],
  route53BusyMs: DURATION,
  zonesWithoutCapacity: [isTexts, 'a list of availability zones'],
  pageSize: [isWhole, 'a whole number, 0 for the own limits'],
  reuseAddresses: [(value) => typeof value === 'boolean', 'true or false'],
  publicAddresses: [(value) => typeof value === 'boolean', 'true or false'],
  rulesPerSecurityGroup: [isWhole, 'a whole number of rules'],
  distanceMs: DURATION,
};

/** What is between regions, or above them. */
const OF_ALL_REGIONS = /^(?:route53|distance)/;

/**
 * Throws a CloudError where a change names a setting that there is not, or gives one what it cannot be, or gives a region
 * what it cannot have of its own.
 */
export function checkSettings(changes: Readonly<Record<string, unknown>>, ofRegion: boolean): void {
  for (const [key, value] of Object.entries(changes)) {
    if (!isSetting(key))
      throw invalid(`no setting ${shorten(key)}: know ${Object.keys(SETTINGS).join(', ')}`);
    if (ofRegion && OF_ALL_REGIONS.test(key))
      throw invalid(`${key} is for all regions, and none has its own`);
    const [check, allowed] = SETTINGS[key];
    if (!check(value)) throw invalid(`${key} cannot be ${shorten(JSON.stringify(value))}: it is ${allowed}`);
  }
}

function isSetting(key: string): key is keyof CloudSettings {
  return Object.hasOwn(SETTINGS, key);
}

function invalid(message: string): CloudError {
  return new CloudError('InvalidSetting', message);
}

function shorten(text: string | undefined): string {
  return text === undefined ? 'nothing' : text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
