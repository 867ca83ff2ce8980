import { hourMs } from "#platform/time.ts";

/** Versions of MQTT as CONNECT names them: 4 is 3.1.1. */
export type MqttVersion = 4 | 5;

/** End of an attempt to connect, as far as the version is concerned. */
export type MqttAttempt =
  /** The broker admitted this client. */
  | "connected"
  /** The broker said that it does not speak the version. */
  | "version-refused"
  /** The broker took the connection and ended it, or said nothing: older ones do so with a version that they don't know. */
  | "no-answer"
  /** Nothing that the version could be a cause of. */
  | "failed";

export interface MqttVersionInputs {
  readonly tried: MqttVersion;
  readonly attempt: MqttAttempt;
  /** Time at which version 5 was refused; null: it has not been. */
  readonly refusedAtMs: number | null;
  readonly nowMs: number;
}

export interface MqttVersionDecision {
  readonly version: MqttVersion;
  readonly refusedAtMs: number | null;
  /** True when the other version is worth an attempt without any delay. */
  readonly atOnce: boolean;
}

/** Time after which a broker that refused version 5 is asked again: it may have been replaced. */
export const askAgainMs = hourMs;

/** Decides the version of the next connection: 5, unless the broker has refused it within the last hour. */
export function decideMqttVersion({ tried, attempt, refusedAtMs, nowMs }: MqttVersionInputs): MqttVersionDecision {
  if (attempt === "version-refused")
    return tried === 5
      ? { version: 4, refusedAtMs: nowMs, atOnce: true }
      : { version: 5, refusedAtMs: null, atOnce: false };
  if (attempt === "no-answer") return { version: tried === 5 ? 4 : 5, refusedAtMs, atOnce: false };
  const isRefused = refusedAtMs !== null && nowMs - refusedAtMs < askAgainMs;
  return isRefused ? { version: 4, refusedAtMs, atOnce: false } : { version: 5, refusedAtMs: null, atOnce: false };
}

/** Returns the name of a version as people know it. */
export function mqttVersionToText(version: MqttVersion): "5" | "3.1.1" {
  return version === 5 ? "5" : "3.1.1";
}
