import type { ForecastReport } from "#protocol/messages.ts";

/** Texts per second in one minute; null: not counted (a gap is not zero). */
export interface MinuteRate {
  readonly minuteStartMs: number;
  readonly qps: number | null;
}

/** Predicts the traffic of the next 15 minutes from the record. */
export interface Forecaster {
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * @param history complete minutes, oldest first, one a minute, ending with the last complete one; any length, including 0.
   *   The newest 60 are the network's input; up to two weeks more help the seasonal models.
   * Never rejects because a model is missing or fails: a simple forecast stands in and the report's reason says why.
   */
  forecast(history: readonly MinuteRate[], nowMs: number): Promise<ForecastReport>;
  /** Describes the loaded model and its backend, for /health and the API. */
  describe(): ForecasterDescription;
}

export interface ReloadableForecaster extends Forecaster {
  /** Loads the model anew, after another one was put into service. */
  reload(): Promise<void>;
}

export interface ForecasterDescription {
  /** "lstm" while the network is loaded, else the name of the simple model. */
  readonly model: string;
  readonly backend: "tfjs-node" | "wasm" | "cpu" | "none";
  readonly reason: string;
}

/** Text kept from one run to the next. */
export interface TextMemory {
  load(): string | null;
  save(text: string): void;
}
