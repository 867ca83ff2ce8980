/** Notices that two processes go by one agent's name: of one, an earlier boot never comes back after a later one. */
export interface TwinBoots {
  /** Takes note that this boot of the agent is online; the address of the other one when that is its second coming, else null. */
  seen(agentId: string, bootId: string, url: string): string | null;
}

/** So many boots of an agent are remembered, and so many agents. */
const mostBoots = 4;
const mostAgents = 20_000;

export function createTwinBoots(): TwinBoots {
  /** Newest first. */
  const boots = new Map<string, { readonly bootId: string; readonly url: string }[]>();
  return {
    seen(agentId, bootId, url) {
      const known = boots.get(agentId) ?? [];
      const [newest] = known;
      if (newest?.bootId === bootId) return null;
      const isBack = known.some((each) => each.bootId === bootId);
      if (boots.size < mostAgents || boots.has(agentId)) {
        const others = known.filter((each) => each.bootId !== bootId);
        boots.set(agentId, [{ bootId, url }, ...others].slice(0, mostBoots));
      }
      return isBack ? (newest?.url ?? null) : null;
    },
  };
}
