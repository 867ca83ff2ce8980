import type { KnownMode } from "#agent/power/energy/mode-energy.ts";
import { minuteMs } from "#platform/time.ts";

export interface BoardPreset {
  readonly name: string;
  /** The most capable first. */
  readonly modes: readonly KnownMode[];
  readonly defaultModeId: number;
  /** Sources of the figures; the rest is assumed. */
  readonly source: string;
}

/** Assumed for every simulated board. */
export const assumedPhysics = {
  /** Default of the configuration: no board gets hot enough to throttle. */
  ambientC: 30,
  /** Above ambient, in the long run, at the board's highest draw. */
  fullLoadRiseC: 45,
  thermalTimeConstantMs: 2 * minuteMs,
  throttleAboveC: 97,
  throttledShare: 0.5,
  modeSwitchMs: 1000,
} as const;

export const boardPresets = {
  "thor-t5000": {
    name: "Jetson Thor T5000 (simulated)",
    defaultModeId: 1,
    modes: [
      { id: 0, name: "MAXN", capacityQps: 420, busyWatts: 130, idleWatts: 24 },
      { id: 1, name: "120W", capacityQps: 350, busyWatts: 105, idleWatts: 22 },
      { id: 2, name: "90W", capacityQps: 280, busyWatts: 78, idleWatts: 21 },
      { id: 3, name: "70W", capacityQps: 220, busyWatts: 58, idleWatts: 20 },
    ],
    source:
      "Modes, their ids and the module's limit of 130 W: NVIDIA's documentation. 350 qps at 120 W: the planning figure of the scaling rule. About 20 W idle: VIN in a tegrastats line of an idle board. All else is assumed.",
  },
  "orin-nano": {
    name: "Jetson Orin Nano Super (simulated)",
    defaultModeId: 1,
    modes: [
      { id: 2, name: "MAXN_SUPER", capacityQps: 260, busyWatts: 27, idleWatts: 6 },
      { id: 1, name: "25W", capacityQps: 230, busyWatts: 23, idleWatts: 5.5 },
      { id: 0, name: "15W", capacityQps: 150, busyWatts: 14, idleWatts: 5 },
      { id: 3, name: "7W", capacityQps: 80, busyWatts: 7, idleWatts: 4.7 },
    ],
    source:
      "Modes and ids: NVIDIA's documentation. 4.7 W idle: VDD_IN in a tegrastats line of an idle board. Capacities and the other draws are assumed.",
  },
  "jetson-classic": {
    name: "Jetson of the 15 W class (simulated)",
    defaultModeId: 0,
    modes: [
      { id: 0, name: "MAXN", capacityQps: 330, busyWatts: 15, idleWatts: 5 },
      { id: 1, name: "12W", capacityQps: 220, busyWatts: 12, idleWatts: 4.5 },
      { id: 2, name: "7W", capacityQps: 120, busyWatts: 7, idleWatts: 4 },
    ],
    source:
      "330, 220 and 120 qps at 15, 12 and 7 W: the product's requirement W2, measured on a board of that class. Idle draws are assumed.",
  },
} as const satisfies Readonly<Record<string, BoardPreset>>;
