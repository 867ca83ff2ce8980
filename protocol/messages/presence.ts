import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { amount, HttpUrl, record, text } from "../bounds.ts";
import { AgentRole, described, envelope, Qps, roleMeaning } from "./fields.ts";

const MacAddress = Type.String({
  pattern: "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$",
  title: "six pairs of hexadecimal digits",
});

export const Presence = Type.Object(
  {
    ...envelope,
    status: described(literals("online", "offline"), "offline: on an orderly stop, and in the last will"),
    role: described(AgentRole, roleMeaning),
    url: described(HttpUrl, "base address of the agent's HTTP API, as others reach it; empty in a last will"),
    region: described(text(64), "where the device stands"),
    version: described(text(64), "of the program"),
    models: Type.Array(text(128), { maxItems: 64, description: "ids of the loaded models" }),
    mesh: Type.Optional(
      Type.Object(
        {
          spaces: {
            ...record(128, text(64), 64),
            description: "fingerprints of the vectors of its loaded models, by the model's id",
          },
          qps: orNull(Qps, "texts per second of its main model that it carries in its present mode; null: unknown"),
          usdPerRequest: orNull(amount(1000), "price of a request that it answers; null: unknown"),
        },
        { ...strict, description: "what other agents need in order to send it requests; absent: it accepts none" },
      ),
    ),
    asleep: Type.Optional(
      Type.Object(
        { mac: orNull(MacAddress, "Ethernet address with which a peer wakes it; null: not configured") },
        {
          ...strict,
          description:
            "true: the device sleeps on standby and can be woken, so it counts as online; absent while awake",
        },
      ),
    ),
  },
  strict,
);
export type Presence = Static<typeof Presence>;
