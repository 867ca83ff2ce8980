import type { Database } from "bun:sqlite";
import type { Logger } from "#platform/log.ts";
import type { AgentRole, ForecastReport, MinuteData } from "#protocol/messages.ts";
import { accuracyWindows } from "./forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "./forecast/accuracy/live-accuracy.ts";
import type { Forecaster, MinuteRate } from "./forecast/forecaster.ts";
import { minuteMs, type RecordedMinute, type TrafficRecord } from "./forecast/traffic-record.ts";
import type { AgentIdentity } from "./identity.ts";
import type { Power } from "./power/power.ts";
import type { Outbox } from "./telemetry/outbox.ts";

const dayMs = 24 * 60 * minuteMs;
/** What the forecasters look at: an hour for the network, eight days for those that compare with yesterday and last week. */
const historyMinutes = 8 * 24 * 60;
/** Reading it all takes 10 ms in which nobody is served, so only so much is read anew each minute. */
const rereadMinutes = 120;

export interface MinuteCycleParts {
  readonly identity: AgentIdentity;
  readonly database: Database;
  readonly record: TrafficRecord;
  readonly outbox: Outbox;
  readonly forecaster: Forecaster;
  readonly accuracy: LiveAccuracy;
  readonly power: Pick<Power, "closeMinute">;
  readonly queueDepth: () => number;
  readonly role: () => AgentRole;
  readonly recordRetentionDays: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}

export interface MinuteCycle {
  /** What ends with a minute: close it, forecast the next ones, put its record into the outbox. */
  run(): Promise<void>;
  /** Closes the minute under way too; for the end of the process. */
  finish(): void;
  /** Minutes an earlier boot wrote down but never queued go into the outbox. */
  recover(): void;
  lastForecast(): ForecastReport | null;
  droppedRecords(): number;
}

export function createMinuteCycle(parts: MinuteCycleParts): MinuteCycle {
  const { identity, database, record, outbox, forecaster, accuracy, power, log } = parts;
  let lastForecast: ForecastReport | null = null;
  let droppedRecords = 0;

  let history: MinuteRate[] = [];

  const readHistory = (nowMs: number): MinuteRate[] => {
    const newest = record.recentRates(rereadMinutes, nowMs);
    const firstMs = newest[0]?.minuteStartMs ?? 0;
    const known = history.findLastIndex(({ minuteStartMs }) => minuteStartMs === firstMs - minuteMs);
    // At the start, and after a jump of the clock, there is nothing to go on from.
    if (known === -1) return record.recentRates(historyMinutes, nowMs);
    return [...history.slice(Math.max(0, known + 1 + rereadMinutes - historyMinutes), known + 1), ...newest];
  };

  const queue = (
    minutes: readonly RecordedMinute[],
    details: Pick<MinuteData, "power" | "forecast" | "forecastAccuracy">,
  ) => {
    const nowMs = parts.nowMs();
    database.transaction(() => {
      for (const [index, minute] of minutes.entries()) {
        const newest = index === minutes.length - 1;
        outbox.append(
          {
            v: 1,
            agentId: identity.agentId,
            bootId: minute.bootId,
            sentAtMs: Math.round(nowMs),
            seq: minute.seq,
            historical: false,
            role: parts.role(),
            queueDepth: parts.queueDepth(),
            traffic: minute.traffic,
            // Energy since the last closing is one figure: it goes with the newest of the minutes that close together.
            power: newest ? details.power : null,
            forecast: newest ? details.forecast : null,
            forecastAccuracy: newest ? (details.forecastAccuracy ?? null) : null,
          },
          nowMs,
        );
        record.markQueued(minute);
      }
    })();
    const dropped = outbox.enforceLimits(nowMs);
    if (dropped > 0) {
      droppedRecords += dropped;
      log.error({ dropped }, "the outbox is full: its oldest records were dropped");
    }
  };

  return {
    async run() {
      const nowMs = parts.nowMs();
      const minutes = record.closeMinutes(nowMs);
      if (minutes.length === 0) return;
      const energy = power.closeMinute(minutes.map(({ traffic }) => traffic));
      history = readHistory(nowMs);
      lastForecast = await forecaster.forecast(history, nowMs);
      accuracy.observe(lastForecast, history);
      const forecastAccuracy = accuracy.figures(accuracyWindows["24h"], nowMs);
      queue(minutes, { power: energy, forecast: lastForecast, forecastAccuracy });
      record.prune(nowMs - parts.recordRetentionDays * dayMs);
      accuracy.prune(nowMs - parts.recordRetentionDays * dayMs);
    },
    finish() {
      const minutes = record.closeAll(parts.nowMs());
      if (minutes.length > 0)
        queue(minutes, { power: power.closeMinute(minutes.map(({ traffic }) => traffic)), forecast: null });
    },
    recover() {
      const minutes = record.unqueued();
      if (minutes.length === 0) return;
      log.info({ minutes: minutes.length }, "records of an earlier run go into the outbox");
      queue(minutes, { power: null, forecast: null });
    },
    lastForecast: () => lastForecast,
    droppedRecords: () => droppedRecords,
  };
}
