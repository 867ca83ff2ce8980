import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { DecisionStore, Override } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import { secondMs } from "#platform/time.ts";
import type { Desired } from "#protocol/messages.ts";

export interface OverrideRequest {
  readonly role?: Desired["role"];
  /** Name of a mode, as the agent's birth lists it. */
  readonly powerMode?: string;
  /** Most capable mode that is allowed. */
  readonly powerModeCap?: string;
  readonly expiresInS: number;
}

/** Override with the document that tells the agent. */
export interface OverrideResult {
  readonly override: Override;
  readonly desired: Desired;
}

export type Overrides = ReturnType<typeof createOverrides>;

export interface OverridesParts {
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: DecisionStore;
  readonly nowMs: () => number;
  /** Called after a change that decisions depend on. */
  readonly onChange: () => void;
}

/** Change of a document that ends the modes of an override. */
export const noHold = {
  powerMode: null,
  powerModeUntilMs: null,
  powerModeCap: null,
  powerModeCapUntilMs: null,
} as const;

function invalid(param: string, message: string): ServiceError {
  return new ServiceError("INVALID_REQUEST", message, { details: { param } });
}

/** Operators' overrides of single agents. They are recorded like decisions. */
export function createOverrides({ fleet, desired, store, nowMs, onChange }: OverridesParts) {
  const record = (kind: "override" | "override-ended", rule: string, override: Override, reason: string) =>
    store.insertDecision({
      atMs: nowMs(),
      kind,
      rule,
      reason,
      agents: [override.agentId],
      inputs: { ...override },
      outcome: {
        activated: override.role === "active" && kind === "override" ? [override.agentId] : [],
        stoodBy: override.role !== null && override.role !== "active" && kind === "override" ? [override.agentId] : [],
        skipped: [],
      },
    });

  const check = (agentId: string, { role, powerMode, powerModeCap }: OverrideRequest): void => {
    const agent = fleet.get(agentId);
    if (agent === undefined) throw new ServiceError("NOT_FOUND", `no agent ${agentId} has been heard of`);
    if (role === undefined && powerMode === undefined && powerModeCap === undefined) {
      throw invalid("role", "role, powerMode or powerModeCap: expected at least one of them, got none");
    }
    const modes = agent.birth?.board.powerModes.map(({ name }) => name) ?? [];
    for (const [param, mode] of Object.entries({ powerMode, powerModeCap })) {
      if (mode !== undefined && modes.length > 0 && !modes.includes(mode))
        throw invalid(param, `${param}: expected one of ${modes.join(", ")}, got "${mode}"`);
    }
  };

  const apply = async (agentId: string, request: OverrideRequest): Promise<OverrideResult> => {
    check(agentId, request);
    const { role, powerMode, powerModeCap, expiresInS } = request;
    const createdAtMs = Math.round(nowMs());
    const expiresAtMs = createdAtMs + expiresInS * secondMs;
    const held = { powerMode: powerMode ?? null, powerModeCap: powerModeCap ?? null };
    const override: Override = { agentId, role: role ?? null, ...held, createdAtMs, expiresAtMs };
    const wants = [
      role === undefined ? "" : `role ${role}`,
      powerMode === undefined ? "" : `power mode ${powerMode}`,
      powerModeCap === undefined ? "" : `at most power mode ${powerModeCap}`,
    ];
    const reason = `an operator wants ${wants.filter((want) => want !== "").join(" and ")} for ${expiresInS} s`;
    await desired.setOverride(override);
    const document = await desired.change(
      agentId,
      {
        ...(role === undefined ? {} : { role }),
        ...held,
        powerModeUntilMs: powerMode === undefined ? null : expiresAtMs,
        powerModeCapUntilMs: powerModeCap === undefined ? null : expiresAtMs,
      },
      reason,
    );
    await record("override", "override", override, `${agentId}: ${reason}`);
    onChange();
    return { override, desired: document };
  };

  const overrideOf = (agentId: string): Override => {
    const override = desired.overrides.get(agentId);
    if (override === undefined) throw new ServiceError("NOT_FOUND", `there is no override of ${agentId}`);
    return override;
  };

  const end = async (agentId: string): Promise<OverrideResult> => {
    const override = overrideOf(agentId);
    const reason = "an operator ended the override";
    await desired.removeOverride(agentId);
    const document = await desired.change(agentId, { ...noHold }, reason);
    await record("override-ended", "override-removed", override, `${agentId}: ${reason}`);
    onChange();
    return { override, desired: document };
  };

  /** Does the same to several agents, one after the other. @throws what stopped it, with the number of those that it was done to */
  const toEach = async (agentIds: readonly string[], act: (agentId: string) => Promise<OverrideResult>) => {
    const results: OverrideResult[] = [];
    for (const agentId of agentIds) {
      try {
        results.push(await act(agentId));
      } catch (cause) {
        const { code, message } =
          cause instanceof ServiceError ? cause : { code: "INTERNAL" as const, message: "failed" };
        const done = `${results.length} of ${agentIds.length} agents were ordered before that`;
        throw new ServiceError(code, `${agentId}: ${message} (${done})`, { cause });
      }
    }
    return results;
  };

  return {
    /** @throws ServiceError NOT_FOUND for an unknown agent, INVALID_REQUEST for a mode its board doesn't have. */
    apply,
    /** @throws ServiceError NOT_FOUND when there is none. */
    end,
    /** Checks an order to several agents, all of them before any is sent. @throws ServiceError as {@link apply} does */
    checkAll(agentIds: readonly string[], request: OverrideRequest): void {
      for (const agentId of agentIds) {
        try {
          check(agentId, request);
        } catch (error) {
          const { code, message, details } = error as ServiceError;
          const options = details === undefined ? {} : { details };
          throw agentIds.length === 1 ? error : new ServiceError(code, `${message} (${agentId})`, options);
        }
      }
    },
    /** Gives the same order to several agents. @throws ServiceError as {@link apply} does; wrong orders are given to none */
    async applyAll(agentIds: readonly string[], request: OverrideRequest): Promise<OverrideResult[]> {
      this.checkAll(agentIds, request);
      return toEach(agentIds, (agentId) => apply(agentId, request));
    },
    /** @throws ServiceError NOT_FOUND where one of the agents has no override: none is ended then */
    async endAll(agentIds: readonly string[]): Promise<OverrideResult[]> {
      for (const agentId of agentIds) overrideOf(agentId);
      return toEach(agentIds, end);
    },
  };
}
