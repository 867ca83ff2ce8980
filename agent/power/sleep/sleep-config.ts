import { type Static, Type } from "@sinclair/typebox";
import { number, orNull } from "#platform/config-fields.ts";

const hook = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), {
    default: [],
    maxItems: 64,
    description: `${description}; empty: never`,
  });

/** Sleep of a device on standby: the operator's commands that suspend it and that wake a peer, none by default. */
export const SleepConfig = Type.Object(
  {
    suspendCommand: hook("suspends this device, e.g. [systemctl, suspend]"),
    afterS: number(900, [1, 31_536_000], "seconds on standby without work before the device is suspended"),
    mac: orNull(
      Type.String({ pattern: "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" }),
      "this device's Ethernet address, sent to the peers that wake it; null: none",
    ),
    wakeCommand: hook("wakes a sleeping peer that is needed, e.g. [wakeonlan, '{mac}']; also {agent}, {host}"),
    wakeRetryS: number(60, [1, 86_400], "seconds between two attempts to wake a peer"),
  },
  { additionalProperties: false, default: {}, description: "Suspending a device on standby, and waking a peer." },
);
export type SleepConfig = Static<typeof SleepConfig>;
