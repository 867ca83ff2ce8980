import type { ModeChange } from "#controller/scaling/active-agents/scaling-inputs.ts";

/** An agent whose users are not given what they were promised. */
export interface TroubledAgent {
  readonly agentId: string;
  /** Names of its board's modes, the most capable first. */
  readonly modes: readonly string[];
  /** Mode that it has been told to hold, as long as that is in force. */
  readonly held: string | null;
  /** True when an operator set its mode, or the board refuses the desired one. */
  readonly isFixed: boolean;
}

/** Decides which agents must hold their most capable mode: those that miss the SLO, so that none saves power meanwhile. */
export function decideHeldModes(agents: readonly TroubledAgent[]): ModeChange[] {
  return agents.flatMap(({ agentId, modes, held, isFixed }) => {
    const [mode] = modes;
    return mode === undefined || modes.length < 2 || held === mode || isFixed ? [] : { agentId, mode };
  });
}
