import { Type } from "@sinclair/typebox";
import type { AgentOrder, Effect, Order } from "#controller/scaling/effect/decide-effect.ts";
import { decideEffect } from "#controller/scaling/effect/decide-effect.ts";
import { explainEffect } from "#controller/scaling/effect/explain-effect.ts";
import type { OverrideRequest } from "#controller/scaling/loop/overrides.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import type { ApiParts } from "../api-parts.ts";

const Serving = Type.Object({ agents: Type.Integer(), capacityQps: Type.Number() });
const maxNamed = 20;

export const EffectView = Type.Unsafe<EffectView>(
  Type.Object(
    {
      text: Type.String({
        description: "what it does, and which capacity is left for which traffic, for people to read",
      }),
      verdict: literals("enough", "tight", "short", "none", "unknown"),
      untilMs: orNull(Type.Number(), "null: until it is ended"),
      named: Type.Integer({ description: "agents that the order names" }),
      starts: Type.Integer({ description: "of these, those that will start serving" }),
      stops: Type.Integer({ description: "of these, those that will stop serving" }),
      slows: Type.Integer({ description: "of these, those that continue with less capacity" }),
      unable: Type.Array(Type.Object({ agentId: Type.String(), reason: Type.String() }), {
        maxItems: maxNamed,
        description: `agents that should serve but can't at present, the first ${maxNamed}`,
      }),
      before: Serving,
      after: Serving,
      spare: { ...Serving, description: "on standby, available to the controller" },
      liveQps: orNull(Type.Number(), "present rate, texts per second; null: unknown"),
      peak: orNull(
        Type.Object({ qps: Type.Number(), atMs: Type.Number(), quantile: literals("p90", "median") }),
        "forecast peak; null: no forecast",
      ),
    },
    { description: "predicted effect of an order; rates are texts per second" },
  ),
);
export type EffectView = ReturnType<typeof viewOf>;

type EffectParts = Pick<ApiParts, "loop" | "freeze" | "fleet" | "powerAssumptions">;

function viewOf(effect: Effect) {
  const { starts, stops, slows, unable, kind: _, ...figures } = effect;
  return {
    text: explainEffect(effect),
    ...{ ...figures, starts: starts.length, stops: stops.length, slows: slows.length },
    unable: unable.slice(0, maxNamed).map((each) => ({ ...each })),
  };
}

/** Foretells the effect of an order on the fleet as it is now. */
export function readEffect(order: Order, { loop, freeze, powerAssumptions }: EffectParts): EffectView {
  const { candidates, liveQps } = loop.observe();
  const effect = decideEffect(order, {
    ...{ candidates, liveQps, forecast: loop.latestForecast(), frozen: freeze.current() !== null },
    targetUtilization: powerAssumptions.targetUtilization,
  });
  return viewOf(effect);
}

/** Returns what an override means for one agent: its role, and the share of its capacity that the mode leaves. */
export function orderTo(
  agentId: string,
  { role, powerMode, powerModeCap }: Pick<OverrideRequest, "role" | "powerMode" | "powerModeCap">,
  fleet: Pick<ApiParts["fleet"], "get">,
): AgentOrder {
  const modes = fleet.get(agentId)?.birth?.board.powerModes ?? [];
  const top = modes[0]?.capacityQps ?? null;
  const shareOf = (name: string | undefined) => {
    const own = modes.find((mode) => mode.name === name)?.capacityQps ?? null;
    return own === null || top === null || top <= 0 ? 1 : Math.min(1, own / top);
  };
  return { agentId, role: role ?? null, capacityShare: Math.min(shareOf(powerMode), shareOf(powerModeCap)) };
}
