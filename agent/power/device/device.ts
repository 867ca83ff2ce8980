import type { ComputeGate } from "#agent/serving/ports.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

export type SetModeResult =
  | { readonly kind: "set" }
  /** The mode needs a reboot; nothing was changed and no reboot was confirmed. */
  | { readonly kind: "reboot-required"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export interface PowerControl {
  /** Returns the modes that can be entered without a reboot, the most capable first. */
  modes(): Promise<readonly PowerModeProfile[]>;
  /** Returns the present mode; null when it is unknown. */
  currentMode(): Promise<{ readonly id: number; readonly name: string } | null>;
  /** Sets a mode and verifies it by asking the board. Never rejects for a fault of the board. */
  setMode(modeId: number): Promise<SetModeResult>;
}

/** Every figure of the sensors, by the board's own names. */
export interface SensorDetails {
  readonly railsMw: Readonly<Record<string, number>>;
  readonly temperaturesC: Readonly<Record<string, number>>;
  /** Load of each core, 0 to 1; null: it is off. */
  readonly cpuLoads: readonly (number | null)[];
}

/** One reading of the board's sensors; null for figures that this board does not have. */
export interface PowerSample {
  readonly atMs: number;
  readonly inputPowerMw: number | null;
  /** 0..1 */
  readonly gpuUtilization: number | null;
  readonly gpuMemoryUsedMb: number | null;
  readonly ramUsedMb: number | null;
  readonly ramTotalMb: number | null;
  readonly junctionTemperatureC: number | null;
  /** Absent from sources that have only the figures above. */
  readonly details?: SensorDetails;
}

export interface PowerMeter {
  /** Starts to deliver samples, about one a second of the clock. A source that dies is restarted. */
  start(onSample: (sample: PowerSample) => void): Promise<void>;
  stop(): Promise<void>;
}

/** Board: sets and measures its power, and holds requests back when simulated. */
export interface Device {
  readonly kind: "jetson" | "simulated" | "none";
  readonly name: string;
  /** Release of the board's system software, for people; null where unknown. */
  readonly release: string | null;
  readonly control: PowerControl;
  readonly meter: PowerMeter;
  readonly gate: ComputeGate;
}
