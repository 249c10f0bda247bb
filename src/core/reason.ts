/**
 * Why an action is taken, or not taken. The sentence is for people: log, status page, `plan`; the code is for metrics
 * and alarms, and is stable. Every planner's codes are a union type, so that each can be shown to occur.
 */
export interface Reason<Code extends string = string> {
  readonly code: Code;
  readonly sentence: string;
}

/** A reason; `sentence` starts lower case and has no full stop. */
export function reason<const Code extends string>(code: Code, sentence: string): Reason<Code> {
  return { code, sentence };
}
