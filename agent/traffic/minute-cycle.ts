import type { AgentIdentity } from "#agent/identity.ts";
import type { Power } from "#agent/power/power.ts";
import type { Outbox } from "#agent/telemetry/outbox.ts";
import { accuracyWindows, longestAccuracyMs } from "#forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import type {
  AgentRole,
  CapacityEstimate,
  ForecastReport,
  MinuteData,
  MinuteMesh,
  Utilization,
} from "#protocol/messages.ts";
import { RecentMinutes } from "./recent-minutes.ts";
import type { RecordedMinute, TrafficRecord } from "./traffic-record.ts";

/** History for the forecasters: an hour for the network, eight days for those that compare with yesterday and last week. */
const historyMinutes = 8 * 24 * 60;
/** Newest part of it that is read each minute: reading all of it takes 10 ms in which no request is served. */
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
  /** Estimates for the loaded models in the present power mode. Default: none. */
  readonly capacity?: () => CapacityEstimate[];
  /** Returns the device's load since then. Default: not measured. */
  readonly utilization?: (sinceMs: number) => Utilization;
  /** Takes what the mesh counted since the last call; null: nothing. Default: there is none. */
  readonly takeMesh?: () => MinuteMesh | null;
  /** Records that were lost since the start. Default: not told. */
  readonly droppedRecords?: () => number;
  readonly recordRetentionDays: number;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Retried each minute. */
  readonly storage?: StorageWatch;
}

type MinuteDetails = Pick<
  MinuteData,
  "power" | "forecast" | "forecastAccuracy" | "capacity" | "utilization" | "mesh" | "outbox"
>;

/** Duties at the end of each minute: close it, forecast the next ones, put its record into the outbox. */
export class MinuteCycle {
  readonly #parts: MinuteCycleParts;
  /** Newest minutes of this run. */
  readonly recent = new RecentMinutes();
  #lastForecast: ForecastReport | null = null;
  #history: MinuteRate[] = [];

  constructor(parts: MinuteCycleParts) {
    this.#parts = parts;
  }

  get lastForecast(): ForecastReport | null {
    return this.#lastForecast;
  }

  /** Closes the minutes that ended, forecasts the next ones, and puts their records into the outbox. */
  async run(): Promise<void> {
    const { record, accuracy, power, log, storage = strictStorage, recordRetentionDays } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const minutes = record.closeMinutes(nowMs);
    if (minutes.length === 0) return;
    const energy = power.closeMinute(minutes.map(({ traffic }) => traffic));
    // The counts are sent in any case.
    const details = await this.#forecast(nowMs).catch((error) => {
      log.error({ err: describeError(error) }, "forecasting failed: the minute is sent without a forecast");
      return { forecast: null };
    });
    this.#queue(minutes, { power: energy, ...this.#device(), ...details });
    storage.retry();
    record.prune(nowMs - recordRetentionDays * dayMs);
    accuracy.prune(nowMs - Math.max(recordRetentionDays * dayMs, longestAccuracyMs));
  }

  /** Also closes the minute under way; for the end of the process. */
  finish(): void {
    const { record, power, nowMs } = this.#parts;
    const minutes = record.closeAll(nowMs());
    if (minutes.length === 0) return;
    const energy = power.closeMinute(minutes.map(({ traffic }) => traffic));
    this.#queue(minutes, { power: energy, ...this.#device(), forecast: null });
  }

  /** Puts minutes into the outbox that an earlier boot recorded but never queued. */
  recover(): void {
    const { record, log } = this.#parts;
    const minutes = record.unqueued();
    if (minutes.length === 0) return;
    log.info({ minutes: minutes.length }, "putting records of an earlier run into the outbox");
    this.#queue(minutes, { power: null, forecast: null });
  }

  /** Returns what is known of the device now. */
  #device(): Pick<MinuteData, "capacity" | "utilization" | "mesh" | "outbox"> {
    const { capacity, utilization, takeMesh, droppedRecords, outbox, nowMs } = this.#parts;
    const mesh = takeMesh?.() ?? null;
    return {
      ...(mesh !== null && { mesh }),
      ...(droppedRecords !== undefined && {
        outbox: { records: outbox.size().entries, dropped: droppedRecords() },
      }),
      ...(capacity !== undefined && { capacity: capacity() }),
      ...(utilization !== undefined && { utilization: utilization(nowMs() - minuteMs) }),
    };
  }

  #readHistory(nowMs: number): MinuteRate[] {
    const { record } = this.#parts;
    const newest = record.recentRates(rereadMinutes, nowMs);
    const firstMs = newest[0]?.minuteStartMs ?? 0;
    const known = this.#history.findLastIndex(({ minuteStartMs }) => minuteStartMs === firstMs - minuteMs);
    // At the start, and after a jump of the clock, the known history does not reach the newest minutes.
    if (known === -1) return record.recentRates(historyMinutes, nowMs);
    return [...this.#history.slice(Math.max(0, known + 1 + rereadMinutes - historyMinutes), known + 1), ...newest];
  }

  async #forecast(nowMs: number) {
    const { forecaster, accuracy } = this.#parts;
    this.#history = this.#readHistory(nowMs);
    const forecast = await forecaster.forecast(this.#history, nowMs);
    this.#lastForecast = forecast;
    accuracy.observe(forecast, this.#history);
    return { forecast, forecastAccuracy: accuracy.figures(accuracyWindows["24h"], nowMs) };
  }

  #queue(
    minutes: readonly RecordedMinute[],
    { power, forecast, forecastAccuracy = null, ...device }: MinuteDetails,
  ): void {
    const { identity, record, outbox, role, queueDepth } = this.#parts;
    const nowMs = this.#parts.nowMs();
    for (const [index, minute] of minutes.entries()) {
      const newest = index === minutes.length - 1;
      // In one transaction with the record's mark: a minute queued twice would have two records with different figures.
      let marked = false;
      const data: MinuteData = {
        v: 1,
        agentId: identity.agentId,
        bootId: minute.bootId,
        sentAtMs: Math.round(nowMs),
        seq: minute.seq,
        historical: false,
        role: role(),
        queueDepth: queueDepth(),
        traffic: minute.traffic,
        // Energy since the last closing is one figure: it belongs to the newest of the minutes that close together.
        power: newest ? power : null,
        forecast: newest ? forecast : null,
        forecastAccuracy: newest ? forecastAccuracy : null,
        ...(newest ? device : {}),
      };
      if (minute.bootId === identity.bootId) this.recent.add(data);
      const onDisk = outbox.append(data, nowMs, () => {
        marked = record.markOnDisk(minute);
      });
      if (onDisk && !marked) record.markQueued(minute);
    }
    outbox.enforceLimits(nowMs);
  }
}
