import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, text } from "../bounds.ts";
import { described, ModeId, Share } from "./fields.ts";

const energyJ = (description: string) => described(amount(bounds.energyJ), description);

const TenantEnergy = Type.Object(
  { tenant: described(text(64), "name of the tenant"), energyJ: energyJ("the tenant's share") },
  strict,
);

const ModelEnergy = Type.Object(
  {
    model: described(text(128), "id of the model"),
    energyJ: energyJ("the model's share, by compute time"),
    tenants: Type.Optional(
      Type.Array(TenantEnergy, {
        maxItems: 512,
        description: "shares that add up to the model's; absent: all of it is the default tenant's",
      }),
    ),
  },
  strict,
);

export const MinutePower = Type.Object(
  {
    modeId: described(ModeId, "power mode at the end of the minute"),
    modeName: described(text(64), "its name"),
    energyJ: energyJ("joules over the measured part of the minute"),
    measuredMs: described(
      amount(bounds.measuredMs),
      "how long power was measured in the minute; the rest is a gap, not zero",
    ),
    idleJ: Type.Optional(energyJ("of energyJ, the mode's idle draw; absent: unknown")),
    activeJ: Type.Optional(energyJ("of energyJ, the part above that; absent: unknown")),
    models: Type.Optional(
      Type.Array(ModelEnergy, { maxItems: 64, description: "the models' shares of activeJ; absent: unknown" }),
    ),
    maxTemperatureC: orNull(
      Type.Number({ minimum: -60, maximum: 200 }),
      "highest temperature of the minute, °C; null: not measured",
    ),
    gpuUtilization: orNull(Share, "mean load of the GPU; null: not measured"),
  },
  strict,
);
export type MinutePower = Static<typeof MinutePower>;
