import { signal } from "@preact/signals";
import { ApiError } from "./api-client.ts";
import { noteServerTime, serverNowMs } from "./time-zone.ts";

/** State of the connection to the server, for all that is shown live. */
export interface Connection {
  readonly state: "connecting" | "live" | "away";
  /** Time of the newest answer by the server's clock; null: none yet. */
  readonly asOfMs: number | null;
  /** Error of the newest try; null: it went well. */
  readonly problem: string | null;
}

export const connection = signal<Connection>({ state: "connecting", asOfMs: null, problem: null });

/** Takes note of live data that arrived. @param nowMs the server's clock */
export function noteLive(nowMs: number): void {
  noteServerTime(nowMs);
  connection.value = { state: "live", asOfMs: nowMs, problem: null };
}

/** Takes note of a failed try. A refusal is no loss of the connection. */
export function noteAway(error: unknown): void {
  const problem = error instanceof Error ? error.message : String(error);
  const isRefusal = error instanceof ApiError && error.status >= 400 && error.status < 500;
  connection.value = { ...connection.value, state: isRefusal ? "live" : "away", problem };
}

/** Age of the newest live data; null: none yet. */
export const ageMs = (): number | null =>
  connection.value.asOfMs === null ? null : serverNowMs() - connection.value.asOfMs;
