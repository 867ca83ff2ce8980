import type { ForecastReport } from "#protocol/messages.ts";

/** Requests a second in one minute; null where nobody was there to count (a gap is not zero). */
export interface MinuteRate {
  readonly minuteStartMs: number;
  readonly qps: number | null;
}

/** Predicts the traffic of the next 15 minutes from the record. */
export interface Forecaster {
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * @param history complete minutes, oldest first, one a minute, ending with the last complete one; any length, 0 included.
   *   The 60 newest are the model's input; up to a week more helps the seasonal ones.
   * Never rejects because a model is missing or fails: a simple baseline stands in and the report's reason says why.
   */
  forecast(history: readonly MinuteRate[], nowMs: number): Promise<ForecastReport>;
  /** What is loaded and where it runs, for /health and people. */
  describe(): ForecasterDescription;
}

export interface ReloadableForecaster extends Forecaster {
  /** Loads the model anew: another one is in service. */
  reload(): Promise<void>;
}

export interface ForecasterDescription {
  /** "lstm" when a trained model is loaded, else the baseline's name. */
  readonly model: string;
  readonly backend: "tfjs-node" | "wasm" | "cpu" | "none";
  readonly reason: string;
}
