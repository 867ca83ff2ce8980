import { type Static, Type } from "@sinclair/typebox";

const hook = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), {
    default: [],
    maxItems: 64,
    description: `${description}; empty: never`,
  });

/** How a device that stands by is put to sleep, and how a peer wakes it: by commands of the operator's, none by default. */
export const SleepConfig = Type.Object(
  {
    suspendCommand: hook("suspends this device, e.g. [systemctl, suspend]"),
    afterS: Type.Number({
      default: 900,
      minimum: 1,
      maximum: 31_536_000,
      description: "seconds of standing by with nothing to do before the device is suspended",
    }),
    mac: Type.Union([Type.String({ pattern: "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" }), Type.Null()], {
      default: null,
      description: "this device's Ethernet address, told to those who wake it",
    }),
    wakeCommand: hook("wakes a sleeping peer that is wanted, e.g. [wakeonlan, '{mac}']; also {agent}, {host}"),
    wakeRetryS: Type.Number({
      default: 60,
      minimum: 1,
      maximum: 86_400,
      description: "between two attempts to wake a peer",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type SleepConfig = Static<typeof SleepConfig>;
