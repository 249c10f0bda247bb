/** Where each of several clients is. */
export interface Pins {
  /**
   * The client's own member: the same for as long as that is there, whatever fails at it. A client whose member is gone
   * gets the one with the fewest clients; so does who shares a member while another has nobody. Null: there is none.
   */
  readonly of: (client: number) => string | null;
}

/**
 * Spreads clients over members. A client that left a member that fails would not be there when it is back, and what it
 * still holds from before is asked for in that moment or never; and after a few faults all would be at one member.
 */
export function createPins(endpoints: () => readonly string[]): Pins {
  const pins = new Map<number, string>();
  return {
    of: (client) => {
      const all = endpoints();
      const crowds = new Map(all.map((endpoint) => [endpoint, 0]));
      for (const endpoint of pins.values()) {
        const crowd = crowds.get(endpoint);
        if (crowd !== undefined) crowds.set(endpoint, crowd + 1);
      }
      const own = pins.get(client);
      const shared = own === undefined ? undefined : crowds.get(own);
      const emptiest = Math.min(...crowds.values());
      if (own !== undefined && shared !== undefined && (shared === 1 || emptiest > 0)) return own;
      const [next] = [...crowds].find(([, crowd]) => crowd === emptiest) ?? [null];
      if (next === null) pins.delete(client);
      else pins.set(client, next);
      return next;
    },
  };
}
