/** Maximum new names of one agent, so that an agent that makes names up does not use up the names of all, and max names in all. */
export const nameLimits = { ofAgent: 2048, inAll: 10_000 };

/** Name of all the rest together, so that sums stay whole; agents use the same one. */
export const otherNames = "(other)";

export type NamesToldApart = ReturnType<typeof createNamesToldApart>;

/** Names from agents, of which a report tells a limited number apart. */
export function createNamesToldApart(limits = nameLimits) {
  const known = new Set<string>();
  const broughtUp = new Map<string, number>();
  return {
    /** Returns the name under which the report counts this one: its own, or {@link otherNames} beyond the limits. */
    of(agentId: string, name: string): string {
      if (known.has(name)) return name;
      const count = broughtUp.get(agentId) ?? 0;
      if (count >= limits.ofAgent || known.size >= limits.inAll) return otherNames;
      broughtUp.set(agentId, count + 1);
      known.add(name);
      return name;
    },
  };
}
