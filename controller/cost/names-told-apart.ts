/** Names that come from agents without end, of which a report tells so many apart. */
export interface NamesToldApart {
  /** Returns the name under which the report counts what an agent said of this one: its own, or {@link otherNames}. */
  of(agentId: string, name: string): string;
}

export interface NameLimits {
  /** An agent can bring up so many that no other has said before, so that one that makes names up leaves room for all others. */
  readonly ofAgent: number;
  readonly inAll: number;
}

export const nameLimits: NameLimits = { ofAgent: 2048, inAll: 10_000 };

/** Of the rest together, as agents call theirs; sums stay whole. */
export const otherNames = "(other)";

export function createNamesToldApart(limits: NameLimits = nameLimits): NamesToldApart {
  const known = new Set<string>();
  const broughtUp = new Map<string, number>();
  return {
    of(agentId, name) {
      if (known.has(name)) return name;
      const count = broughtUp.get(agentId) ?? 0;
      if (count >= limits.ofAgent || known.size >= limits.inAll) return otherNames;
      broughtUp.set(agentId, count + 1);
      known.add(name);
      return name;
    },
  };
}
