import type { AgentIdentity } from "#agent/identity.ts";
import type { Power } from "#agent/power/power.ts";
import type { Outbox } from "#agent/telemetry/outbox.ts";
import { accuracyWindows } from "#forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import type { Logger } from "#platform/log.ts";
import type { AgentRole, ForecastReport, MinuteData } from "#protocol/messages.ts";
import { minuteMs, type RecordedMinute, type TrafficRecord } from "./traffic-record.ts";

const dayMs = 24 * 60 * minuteMs;
/** What the forecasters look at: an hour for the network, eight days for those that compare with yesterday and last week. */
const historyMinutes = 8 * 24 * 60;
/** Reading it all takes 10 ms in which nobody is served, so only so much is read anew each minute. */
const rereadMinutes = 120;

export interface MinuteCycleParts {
  readonly identity: AgentIdentity;
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
  /** Has what could not be written tried again. */
  readonly storage?: StorageWatch;
}

export interface MinuteCycle {
  /** What ends with a minute: close it, forecast the next ones, put its record into the outbox. */
  run(): Promise<void>;
  /** Closes the minute under way too; for the end of the process. */
  finish(): void;
  /** Minutes an earlier boot wrote down but never queued go into the outbox. */
  recover(): void;
  lastForecast(): ForecastReport | null;
}

export function createMinuteCycle(parts: MinuteCycleParts): MinuteCycle {
  const { storage = strictStorage } = parts;
  const { identity, record, outbox, forecaster, accuracy, power, log } = parts;
  let lastForecast: ForecastReport | null = null;

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
    for (const [index, minute] of minutes.entries()) {
      const newest = index === minutes.length - 1;
      // With the record of the minute: what is queued twice would come with other figures.
      let marked = false;
      const onDisk = outbox.append(
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
        () => {
          marked = record.markOnDisk(minute);
        },
      );
      if (onDisk && !marked) record.markQueued(minute);
    }
    outbox.enforceLimits(nowMs);
  };

  const foresee = async (nowMs: number) => {
    history = readHistory(nowMs);
    lastForecast = await forecaster.forecast(history, nowMs);
    accuracy.observe(lastForecast, history);
    return { forecast: lastForecast, forecastAccuracy: accuracy.figures(accuracyWindows["24h"], nowMs) };
  };

  return {
    async run() {
      const nowMs = parts.nowMs();
      const minutes = record.closeMinutes(nowMs);
      if (minutes.length === 0) return;
      const energy = power.closeMinute(minutes.map(({ traffic }) => traffic));
      // Whatever fails on the way: what was counted is sent.
      const details = await foresee(nowMs).catch((error) => {
        log.error({ err: describeError(error) }, "forecasting failed: the minute is sent without a forecast");
        return { forecast: null };
      });
      queue(minutes, { power: energy, ...details });
      storage.retry();
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
  };
}
