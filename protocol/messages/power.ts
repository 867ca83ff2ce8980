import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, text } from "../bounds.ts";
import { described, ModeId, Share } from "./fields.ts";

const energyJ = (description: string) => described(amount(bounds.energyJ), description);

const TenantEnergy = Type.Object(
  { tenant: described(text(64), "name of the tenant"), energyJ: energyJ("the tenant's part") },
  strict,
);

const ModelEnergy = Type.Object(
  {
    model: described(text(128), "id of the model"),
    energyJ: energyJ("the model's part, by compute time"),
    tenants: Type.Optional(
      Type.Array(TenantEnergy, {
        maxItems: 512,
        description: "adding up to the model's part; absent: all of it is the default tenant's",
      }),
    ),
  },
  strict,
);

export const MinutePower = Type.Object(
  {
    modeId: described(ModeId, "power mode at the end of the minute"),
    modeName: described(text(64), "its name"),
    energyJ: energyJ("joules over the part of the minute that was measured"),
    measuredMs: described(
      amount(bounds.measuredMs),
      "how much of the minute has power samples; the rest is a gap, not zero",
    ),
    idleJ: Type.Optional(energyJ("of energyJ, what the mode draws without load; absent: unknown")),
    activeJ: Type.Optional(energyJ("of energyJ, what was drawn above that; absent: unknown")),
    models: Type.Optional(
      Type.Array(ModelEnergy, { maxItems: 64, description: "the models' parts of activeJ; absent: unknown" }),
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
