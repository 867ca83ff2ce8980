import type { Database } from "bun:sqlite";
import type { TrafficSink } from "#agent/serving/ports.ts";
import type { MinuteTraffic } from "#protocol/messages.ts";
import type { MinuteRate } from "./forecaster.ts";
import { createMinuteCounts, type MinuteCounts } from "./minute-counts.ts";

export const minuteMs = 60_000;

/** A closed minute with the name it keeps for good. */
export interface RecordedMinute {
  readonly bootId: string;
  readonly seq: number;
  readonly traffic: MinuteTraffic;
}

export interface TrafficRecord extends TrafficSink {
  /**
   * Closes every minute that ended by `nowMs`, writes them down and returns them, oldest first; minutes without a request are
   * written too (zero is not a gap). After a clock jump of more than five minutes the minutes in between stay a gap: nobody counted.
   */
  closeMinutes(nowMs: number): RecordedMinute[];
  /** Closes the minute under way as well, for an orderly end. */
  closeAll(nowMs: number): RecordedMinute[];
  /** Texts a second in each of the `count` minutes before `nowMs`' minute, oldest first; null where less than half was observed. */
  recentRates(count: number, nowMs: number): MinuteRate[];
  /** Minutes that are on record. */
  recordedMinutes(): number;
  /** Texts a second so far in the minute under way, in the last one while this is younger than 20 s, or in the last 60 s while this has few. */
  liveQps(nowMs: number): number;
  /** Minutes that were written down but whose message never reached the outbox (the process died in between). */
  unqueued(): RecordedMinute[];
  markQueued(minute: RecordedMinute): void;
  /** Forgets what ended before `beforeMs`. */
  prune(beforeMs: number): void;
}

/** So many events that come by chance tell their rate to about a fifth (one standard deviation). */
const fewTexts = 25;
const longestStallMs = 5 * minuteMs;
const startOfMinute = (timeMs: number) => Math.floor(timeMs / minuteMs) * minuteMs;

function textsOf(traffic: MinuteTraffic): number {
  return traffic.models.reduce((sum, model) => sum + model.texts, 0);
}

/**
 * The durable record of what was served, minute by minute of the clock's time: at most the minute under way is lost with the process.
 * @param startMs when this boot began to observe.
 */
export function createTrafficRecord(
  database: Database,
  bootId: string,
  startMs: number,
  nowMs: () => number,
): TrafficRecord {
  const open = new Map<number, MinuteCounts>();
  let observedFromMs = startMs;
  let seq = 0;
  let lastClosedTexts = 0;

  const insert = database.query(
    `INSERT INTO minute_traffic (boot_id, seq, minute_start_ms, observed_ms, texts, traffic, queued)
     VALUES ($bootId, $seq, $minuteStartMs, $observedMs, $texts, $traffic, 0)`,
  );
  const selectRates = database.query<{ minuteStartMs: number; observedMs: number; texts: number }, [number, number]>(
    `SELECT minute_start_ms AS minuteStartMs, sum(observed_ms) AS observedMs, sum(texts) AS texts
     FROM minute_traffic WHERE minute_start_ms >= ? AND minute_start_ms < ? GROUP BY minute_start_ms`,
  );
  const countMinutes = database.query<{ minutes: number }, []>("SELECT count(*) AS minutes FROM minute_traffic");
  const selectUnqueued = database.query<{ bootId: string; seq: number; traffic: string }, []>(
    `SELECT boot_id AS bootId, seq, traffic FROM minute_traffic WHERE queued = 0 ORDER BY minute_start_ms, seq`,
  );
  const updateQueued = database.query(`UPDATE minute_traffic SET queued = 1 WHERE boot_id = ? AND seq = ?`);
  const deleteBefore = database.query(`DELETE FROM minute_traffic WHERE minute_start_ms < ? AND queued = 1`);

  const current = (): MinuteCounts => {
    const minuteStartMs = startOfMinute(nowMs());
    let minute = open.get(minuteStartMs);
    if (minute === undefined) {
      minute = createMinuteCounts();
      open.set(minuteStartMs, minute);
    }
    return minute;
  };

  const write = (minuteStartMs: number, observedMs: number): RecordedMinute => {
    const counts = open.get(minuteStartMs) ?? createMinuteCounts();
    open.delete(minuteStartMs);
    const traffic: MinuteTraffic = { minuteStartMs, observedMs, ...counts.traffic() };
    seq += 1;
    lastClosedTexts = textsOf(traffic);
    insert.run({ bootId, seq, minuteStartMs, observedMs, texts: lastClosedTexts, traffic: JSON.stringify(traffic) });
    return { bootId, seq, traffic };
  };

  /** Writes down all that was observed up to `untilMs`, which need not end a minute. */
  const closeUntil = (untilMs: number): RecordedMinute[] => {
    const written: RecordedMinute[] = [];
    const stalled = untilMs - observedFromMs > longestStallMs;
    // A clock set back: what was counted under later minutes belongs to the time that is now said to be.
    if (untilMs < observedFromMs - minuteMs) observedFromMs = startOfMinute(untilMs);
    database.transaction(() => {
      while (observedFromMs < untilMs) {
        const minuteStartMs = startOfMinute(observedFromMs);
        const endMs = Math.min(minuteStartMs + minuteMs, untilMs);
        const counted = open.has(minuteStartMs) || !stalled || endMs + minuteMs > untilMs;
        if (counted) written.push(write(minuteStartMs, endMs - observedFromMs));
        else lastClosedTexts = 0;
        observedFromMs = endMs;
      }
    })();
    return written;
  };

  return {
    recordServed: (request) => current().add(request),
    recordError: () => current().addError(),
    recordRejected: () => current().addRejected(),
    closeMinutes: (atMs) => closeUntil(startOfMinute(atMs)),
    closeAll: (atMs) => closeUntil(Math.round(atMs)),
    recentRates(count, atMs) {
      const endMs = startOfMinute(atMs);
      const startMsOfRange = endMs - count * minuteMs;
      const byMinute = new Map(selectRates.all(startMsOfRange, endMs).map((row) => [row.minuteStartMs, row]));
      return Array.from({ length: count }, (_, index) => {
        const minuteStartMs = startMsOfRange + index * minuteMs;
        const row = byMinute.get(minuteStartMs);
        const observed = row !== undefined && row.observedMs >= minuteMs / 2;
        return { minuteStartMs, qps: observed ? row.texts / (row.observedMs / 1000) : null };
      });
    },
    recordedMinutes: () => countMinutes.get()?.minutes ?? 0,
    liveQps(atMs) {
      const minuteStartMs = startOfMinute(atMs);
      const elapsedMs = atMs - Math.max(minuteStartMs, observedFromMs);
      const lastQps = lastClosedTexts / (minuteMs / 1000);
      if (elapsedMs < 20_000) return lastQps;
      const texts = open.get(minuteStartMs)?.texts() ?? 0;
      // A handful in 20 s says little: one more or less would be taken for a change of the rate. The last 60 s say more.
      if (texts < fewTexts && lastClosedTexts > 0) {
        return (texts + lastClosedTexts * Math.max(0, 1 - elapsedMs / minuteMs)) / (minuteMs / 1000);
      }
      return texts / (elapsedMs / 1000);
    },
    unqueued: () =>
      selectUnqueued.all().map((row) => ({ bootId: row.bootId, seq: row.seq, traffic: JSON.parse(row.traffic) })),
    markQueued({ bootId: boot, seq: number }) {
      updateQueued.run(boot, number);
    },
    prune(beforeMs) {
      deleteBefore.run(beforeMs);
    },
  };
}
