import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { HttpUrl, text } from "../bounds.ts";
import { AgentRole, described, envelope, roleMeaning } from "./fields.ts";

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
    models: Type.Array(text(128), { maxItems: 64, description: "ids of the models that are loaded" }),
    asleep: Type.Optional(
      Type.Object(
        { mac: orNull(MacAddress, "Ethernet address by which a peer wakes it; null: not configured") },
        {
          ...strict,
          description:
            "the device sleeps while on standby and can be woken, so it counts as online; absent while awake",
        },
      ),
    ),
  },
  strict,
);
export type Presence = Static<typeof Presence>;
