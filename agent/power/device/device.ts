import type { ComputeGate } from "#agent/serving/ports.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

export type SetModeResult =
  | { readonly kind: "set" }
  /** The board wants a reboot first; nothing was changed and nothing was confirmed. */
  | { readonly kind: "reboot-required"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** Reads and sets the board's power mode. */
export interface PowerControl {
  /** The modes that can be entered without a reboot, the most capable first. */
  modes(): Promise<readonly PowerModeProfile[]>;
  /** The mode the board is in; null when it can't be told. */
  currentMode(): Promise<{ readonly id: number; readonly name: string } | null>;
  /** Sets a mode and verifies it by asking the board. Never rejects for what a board can do wrong. */
  setMode(modeId: number): Promise<SetModeResult>;
}

/** One reading of the board's sensors; null = this board doesn't say. */
export interface PowerSample {
  readonly atMs: number;
  readonly inputPowerMw: number | null;
  readonly gpuUtilization: number | null;
  readonly gpuMemoryUsedMb: number | null;
  readonly ramUsedMb: number | null;
  readonly ramTotalMb: number | null;
  readonly junctionTemperatureC: number | null;
}

export interface PowerMeter {
  /** Begins to deliver samples, about one a second of the clock. A source that dies is restarted. */
  start(onSample: (sample: PowerSample) => void): Promise<void>;
  stop(): Promise<void>;
}

/** A board: what sets and measures its power, and, when simulated, what holds requests back. */
export interface Device {
  readonly kind: "jetson" | "simulated" | "none";
  readonly name: string;
  /** The release of the board's system software, for people; null where there is none or it is not known. */
  readonly release: string | null;
  readonly control: PowerControl;
  readonly meter: PowerMeter;
  readonly gate: ComputeGate;
}
