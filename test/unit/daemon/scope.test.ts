import { describe, expect, it } from 'vitest';
import { openScope } from '../../../src/daemon/scope.ts';

describe('a scope', () => {
  it('ends what goes on under its signal, and not what is outside', () => {
    const outer = new AbortController();
    const scope = openScope(outer.signal);
    scope.end();
    expect([scope.signal.aborted, outer.signal.aborted]).toEqual([true, false]);
    expect(scope.signal.reason).toMatchObject({ code: 'aborted' });
  });

  it('ends with what it is in, for the same reason', () => {
    const outer = new AbortController();
    const scope = openScope(outer.signal);
    outer.abort(new Error('the appliance has ended'));
    expect(scope.signal.reason).toBe(outer.signal.reason);
    expect(openScope(outer.signal).signal.reason).toBe(outer.signal.reason);
  });

  it('leaves nothing behind at the signal that it was in', () => {
    const outer = new AbortController();
    const scope = openScope(outer.signal);
    scope.end();
    const { reason } = scope.signal as { readonly reason: unknown };
    outer.abort(new Error('later'));
    expect(scope.signal.reason).toBe(reason);
  });
});
