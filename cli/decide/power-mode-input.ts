import { type Static, Type } from "@sinclair/typebox";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { AgentRole, PowerModeProfile } from "#protocol/messages.ts";

const numberOrNull = Type.Union([Type.Number(), Type.Null()], { default: null });
const rateOrNull = Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null });

/** What `decidePowerMode` reads; what is left out is not known. */
export const PowerModeInput = Type.Object(
  {
    policy: PowerPolicy,
    modes: Type.Array(PowerModeProfile, { maxItems: 32, description: "that can be entered, the most capable first" }),
    currentModeId: numberOrNull,
    lastSwitchMs: numberOrNull,
    switchesInLastDay: Type.Integer({ default: 0, minimum: 0 }),
    role: Type.Union(AgentRole.anyOf, { default: "active" }),
    servingForMs: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      default: null,
      description: "since service was taken up after standing by; null: since the start",
    }),
    forecastPeakQps: rateOrNull,
    forecastUpperQps: rateOrNull,
    liveQps: rateOrNull,
    desiredMode: Type.Union([Type.String(), Type.Null()], { default: null }),
    desiredModeCap: Type.Union([Type.String(), Type.Null()], {
      default: null,
      description: "the most capable mode that is allowed",
    }),
    desiredModeUntilMs: numberOrNull,
    desiredModeCapUntilMs: numberOrNull,
    temperatureC: numberOrNull,
    thermalCap: Type.Integer({ default: 0, minimum: 0, description: "no mode before this place of modes is taken" }),
    thermalCapChangedMs: numberOrNull,
    nowMs: Type.Number(),
  },
  { additionalProperties: false },
);
export type PowerModeInput = Static<typeof PowerModeInput>;
