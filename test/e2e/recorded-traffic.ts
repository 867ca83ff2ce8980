import { join } from "node:path";
import pino from "pino";
import { openState } from "#agent/open-state.ts";
import { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import { minuteMs } from "#platform/time.ts";

/** Writes the state of an agent that served `textsOf(minuteStartMs)` texts in each of the `minutes` minutes before a time. */
export function writeRecordedTraffic(
  stateDir: string,
  minutes: number,
  untilMs: number,
  textsOf: (minuteStartMs: number) => number,
): void {
  const startMs = Math.floor(untilMs / minuteMs - minutes) * minuteMs;
  const database = openState(join(stateDir, "agent.db"), pino({ level: "silent" }), untilMs);
  let atMs = startMs;
  const record = new TrafficRecord(database, crypto.randomUUID(), startMs, () => atMs);
  database.transaction(() => {
    for (; atMs + minuteMs <= untilMs; ) {
      const texts = textsOf(atMs);
      const cost = { tokens: 16 * texts, computeMs: 5 * texts, latencyMs: 9, cachedTexts: 0, queueMs: 0 };
      if (texts > 0) record.recordServed({ model: "all-MiniLM-L6-v2", tenant: "default", texts, ...cost });
      atMs += minuteMs;
      for (const closed of record.closeMinutes(atMs)) record.markQueued(closed);
    }
  })();
  database.close();
}
