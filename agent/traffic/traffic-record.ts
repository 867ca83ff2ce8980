import type { TrafficSink } from "#agent/serving/ports.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { decodeOwnText } from "#protocol/codec.ts";
import { MinuteTraffic } from "#protocol/messages.ts";
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
   * Closes every minute that ended by `nowMs`, writes them down (or keeps them in memory while the disk takes nothing) and returns them, oldest first; minutes without a request are
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
  markQueued(minute: Pick<RecordedMinute, "bootId" | "seq">): void;
  /** The same for one that is on disk, at once, within a transaction of the caller's. False: it isn't, and nothing is done. */
  markOnDisk(minute: Pick<RecordedMinute, "bootId" | "seq">): boolean;
  /** Forgets what ended before `beforeMs`. */
  prune(beforeMs: number): void;
}

/** A minute that is not on disk yet. */
interface Unwritten extends RecordedMinute {
  readonly texts: number;
  readonly json: string;
  /** Its message is in the outbox, or sent. */
  queued: boolean;
}

/** A week of minutes, and so many bytes, wait in memory at most. */
const longestTail = 7 * 24 * 60;
const largestTailBytes = 16 * 1024 * 1024;

interface MinuteSums {
  readonly minuteStartMs: number;
  readonly observedMs: number;
  readonly texts: number;
}

/** A minute may be observed in parts. */
function addRate(
  byMinute: Map<number, MinuteSums>,
  { minuteStartMs, observedMs }: Pick<MinuteTraffic, "minuteStartMs" | "observedMs">,
  texts: number,
): void {
  const known = byMinute.get(minuteStartMs) ?? { minuteStartMs, observedMs: 0, texts: 0 };
  byMinute.set(minuteStartMs, {
    minuteStartMs,
    observedMs: known.observedMs + observedMs,
    texts: known.texts + texts,
  });
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
  database: StateDatabase,
  bootId: string,
  startMs: number,
  nowMs: () => number,
  storage: StorageWatch = strictStorage,
): TrafficRecord {
  const open = new Map<number, MinuteCounts>();
  let observedFromMs = startMs;
  let seq = 0;
  let lastClosedTexts = 0;

  const insert = database.query(
    `INSERT OR REPLACE INTO minute_traffic (boot_id, seq, minute_start_ms, observed_ms, texts, traffic, queued)
     VALUES ($bootId, $seq, $minuteStartMs, $observedMs, $texts, $traffic, $queued)`,
  );
  const selectRates = database.query<MinuteSums, [number, number]>(
    `SELECT minute_start_ms AS minuteStartMs, sum(observed_ms) AS observedMs, sum(texts) AS texts
     FROM minute_traffic WHERE minute_start_ms >= ? AND minute_start_ms < ? GROUP BY minute_start_ms`,
  );
  const countMinutes = database.query<{ minutes: number }, []>("SELECT count(*) AS minutes FROM minute_traffic");
  const selectUnqueued = database.query<{ bootId: string; seq: number; traffic: string }, []>(
    `SELECT boot_id AS bootId, seq, traffic FROM minute_traffic WHERE queued = 0 ORDER BY minute_start_ms, seq`,
  );
  const updateQueued = database.query(`UPDATE minute_traffic SET queued = 1 WHERE boot_id = ? AND seq = ?`);
  const deleteBefore = database.query(`DELETE FROM minute_traffic WHERE minute_start_ms < ? AND queued = 1`);

  /** Newer than all that this boot has on disk, in order. */
  const unwritten: Unwritten[] = [];
  /** Recent minutes counted by this boot, in order. */
  const recent: MinuteSums[] = [];
  /** On disk, and queued since, which could not be written. */
  const unmarked: Pick<RecordedMinute, "bootId" | "seq">[] = [];

  const write = (what: () => void) =>
    storage.attempt(
      "writing the traffic record",
      () => {
        what();
        return true;
      },
      false,
    );
  const insertMinute = ({ bootId: boot, seq: number, traffic, texts, json, queued }: Unwritten) => {
    const { minuteStartMs, observedMs } = traffic;
    const row = { bootId: boot, seq: number, minuteStartMs, observedMs, texts, traffic: json, queued: Number(queued) };
    insert.run(row);
  };
  const flush = () => {
    for (let [next] = unwritten; next !== undefined; [next] = unwritten) {
      const minute = next;
      if (!write(() => insertMinute(minute))) break;
      unwritten.shift();
    }
    for (let [next] = unmarked; next !== undefined; [next] = unmarked) {
      const { bootId: boot, seq: number } = next;
      if (!write(() => updateQueued.run(boot, number))) break;
      unmarked.shift();
    }
  };
  const unwrittenBytes = () => unwritten.reduce((bytes, { json }) => bytes + json.length, 0);
  /** Only history for forecasts is dropped here; the message waits in the outbox. */
  const limitMemory = () => {
    for (let bytes = unwrittenBytes(); unwritten.length > longestTail || bytes > largestTailBytes; )
      bytes -= unwritten.shift()?.json.length ?? 0;
  };
  storage.keep({ flush, waiting: () => ({ records: unwritten.length, bytes: unwrittenBytes() }) });

  const current = (): MinuteCounts => {
    const minuteStartMs = startOfMinute(nowMs());
    let minute = open.get(minuteStartMs);
    if (minute === undefined) {
      minute = createMinuteCounts();
      open.set(minuteStartMs, minute);
    }
    return minute;
  };

  const close = (minuteStartMs: number, observedMs: number): RecordedMinute => {
    const counts = open.get(minuteStartMs) ?? createMinuteCounts();
    open.delete(minuteStartMs);
    const traffic: MinuteTraffic = { minuteStartMs, observedMs, ...counts.traffic() };
    seq += 1;
    lastClosedTexts = textsOf(traffic);
    const minute = { bootId, seq, traffic };
    recent.push({ minuteStartMs, observedMs, texts: lastClosedTexts });
    if (recent.length > longestTail) recent.shift();
    unwritten.push({ ...minute, texts: lastClosedTexts, json: JSON.stringify(traffic), queued: false });
    return minute;
  };

  /** Writes down all that was observed up to `untilMs`, which need not end a minute. What is counted is in memory until it is on disk. */
  const closeUntil = (untilMs: number): RecordedMinute[] => {
    const closed: RecordedMinute[] = [];
    const stalled = untilMs - observedFromMs > longestStallMs;
    // A clock set back: what was counted under later minutes belongs to the time that is now said to be.
    if (untilMs < observedFromMs - minuteMs) observedFromMs = startOfMinute(untilMs);
    while (observedFromMs < untilMs) {
      const minuteStartMs = startOfMinute(observedFromMs);
      const endMs = Math.min(minuteStartMs + minuteMs, untilMs);
      const counted = open.has(minuteStartMs) || !stalled || endMs + minuteMs > untilMs;
      if (counted) closed.push(close(minuteStartMs, endMs - observedFromMs));
      else lastClosedTexts = 0;
      observedFromMs = endMs;
    }
    flush();
    limitMemory();
    return closed;
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
      const rows = storage.attempt("reading the traffic record", () => selectRates.all(startMsOfRange, endMs), null);
      // Where the disk says nothing, what this boot counted itself is known all the same.
      const byMinute = new Map(rows?.map((row) => [row.minuteStartMs, row]));
      if (rows === null) for (const minute of recent) addRate(byMinute, minute, minute.texts);
      if (rows !== null) for (const { traffic, texts } of unwritten) addRate(byMinute, traffic, texts);
      return Array.from({ length: count }, (_, index) => {
        const minuteStartMs = startMsOfRange + index * minuteMs;
        const row = byMinute.get(minuteStartMs);
        const observed = row !== undefined && row.observedMs >= minuteMs / 2;
        return { minuteStartMs, qps: observed ? row.texts / (row.observedMs / 1000) : null };
      });
    },
    recordedMinutes: () =>
      (storage.attempt("reading the traffic record", () => countMinutes.get()?.minutes, 0) ?? 0) + unwritten.length,
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
    unqueued() {
      const rows = storage.attempt("reading the traffic record", () => selectUnqueued.all(), []);
      return rows.flatMap(({ bootId: boot, seq: number, traffic }) => {
        const read = decodeOwnText(MinuteTraffic, traffic);
        if (read !== null) return [{ bootId: boot, seq: number, traffic: read }];
        // Not what this program wrote; it is not looked at again.
        storage.lose("unreadable", 1);
        unmarked.push({ bootId: boot, seq: number });
        return [];
      });
    },
    markQueued({ bootId: boot, seq: number }) {
      const waiting = unwritten.find((minute) => minute.bootId === boot && minute.seq === number);
      if (waiting !== undefined) {
        waiting.queued = true;
        return;
      }
      unmarked.push({ bootId: boot, seq: number });
      flush();
      if (unmarked.length > longestTail) unmarked.shift();
    },
    markOnDisk({ bootId: boot, seq: number }) {
      if (unwritten.some((minute) => minute.bootId === boot && minute.seq === number)) return false;
      updateQueued.run(boot, number);
      return true;
    },
    prune(beforeMs) {
      storage.attempt("deleting from the traffic record", () => deleteBefore.run(beforeMs), null);
    },
  };
}
