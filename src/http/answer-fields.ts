import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';

/** The fields of an object in another appliance's answer. */
export type Fields = Readonly<Record<string, unknown>>;

/** An answer, read from the text of a JSON object; unknown, with all that is wrong with it, where `read` notes a problem. */
export function parseAnswer<T>(text: string, read: (fields: Fields, problems: string[]) => T): Known<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unknown('the answer is not JSON');
  }
  const problems: string[] = [];
  const answer = read(readFields(json, 'the whole', problems), problems);
  return problems.length === 0 ? known(answer) : unknown(`the answer is not valid: ${problems.join(', ')}`);
}

/*
 * Each reads one thing of an answer that was parsed from JSON, and notes what is wrong with it in `problems`; what it
 * returns then is a stand-in that must not be used.
 */

/** An object's fields. */
export function readFields(value: unknown, what: string, problems: string[]): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  problems.push(`${what} is no object`);
  return {};
}

/** A text that is not empty. */
export function readText(value: unknown, what: string, problems: string[]): string {
  if (typeof value === 'string' && value !== '') return value;
  problems.push(`${what} is no text`);
  return '';
}

/** True or false. */
export function readBoolean(value: unknown, what: string, problems: string[]): boolean {
  if (typeof value === 'boolean') return value;
  problems.push(`${what} is neither true nor false`);
  return false;
}

/** A whole number from 0 on. */
export function readCount(value: unknown, what: string, problems: string[]): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  problems.push(`${what} is no whole number`);
  return 0;
}
