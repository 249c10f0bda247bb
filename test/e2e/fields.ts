import type { EventFields } from '../../src/sandbox/model.ts';

/** A field of an event as text; empty where there is none. */
export function textOf(fields: EventFields, key: string): string {
  const value = fields[key];
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
