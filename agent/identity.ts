export interface AgentIdentity {
  readonly fleet: string;
  readonly agentId: string;
  /** New with every start: tells messages of an old session from those of the new one. */
  readonly bootId: string;
  readonly region: string;
}

/** Makes an agent id from a host name: characters that a topic can't hold become dashes, leading dots and dashes are dropped. */
export function agentIdFromHostname(hostname: string): string {
  const id = hostname
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 64);
  return id === "" ? "agent" : id;
}
