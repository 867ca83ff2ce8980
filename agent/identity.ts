/** Who this agent is, for as long as the process runs. */
export interface AgentIdentity {
  readonly fleet: string;
  readonly agentId: string;
  /** A new one with every start, so that messages of an old session can be told from those of the new one. */
  readonly bootId: string;
  readonly region: string;
}

/** A host name as an agent id: what a topic can't hold becomes a dash, and no dot or dash stands at its beginning. */
export function agentIdFromHostname(hostname: string): string {
  const id = hostname
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 64);
  return id === "" ? "agent" : id;
}
