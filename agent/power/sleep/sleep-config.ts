import { type Static, Type } from "@sinclair/typebox";

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
    afterS: Type.Number({
      default: 900,
      minimum: 1,
      maximum: 31_536_000,
      description: "seconds on standby without work before the device is suspended",
    }),
    mac: Type.Union([Type.String({ pattern: "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" }), Type.Null()], {
      default: null,
      description: "this device's Ethernet address, sent to the peers that wake it; null: none",
    }),
    wakeCommand: hook("wakes a sleeping peer that is wanted, e.g. [wakeonlan, '{mac}']; also {agent}, {host}"),
    wakeRetryS: Type.Number({
      default: 60,
      minimum: 1,
      maximum: 86_400,
      description: "seconds between two attempts to wake a peer",
    }),
  },
  { additionalProperties: false, default: {}, description: "Suspending a device on standby, and waking a peer." },
);
export type SleepConfig = Static<typeof SleepConfig>;
