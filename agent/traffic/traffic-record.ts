import type { PeerWork, RefusedRequest, ServedRequest, TrafficSink } from "#agent/serving/ports.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeOwnText } from "#protocol/codec.ts";
import { MinuteTraffic } from "#protocol/messages.ts";
import { tenantInJson } from "#protocol/tenant-in-json.ts";
import { createMinuteCounts, type MinuteCounts } from "./minute-counts.ts";

/** Permanent key of a closed minute. */
interface MinuteKey {
  readonly bootId: string;
  readonly seq: number;
}

export interface RecordedMinute extends MinuteKey {
  readonly traffic: MinuteTraffic;
}

/** Minute that is not on disk yet. */
interface Unwritten extends RecordedMinute {
  readonly texts: number;
  readonly json: string;
  /** Its message is in the outbox, or sent. */
  queued: boolean;
}

/** Limits of records waiting in memory: a week of minutes, and 16 MiB. */
const maxTail = 7 * 24 * 60;
const maxTailBytes = 16 * 1024 * 1024;

interface MinuteSums {
  readonly minuteStartMs: number;
  readonly observedMs: number;
  readonly texts: number;
}

/** Adds a minute, or a part of one, to the sums of its minute. */
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

/** Texts from which on a count gives the rate: 25 random events to about a fifth (one standard deviation). */
const minTextsOfRate = 25;
const maxStallMs = 5 * minuteMs;
const startOfMinute = (timeMs: number) => Math.floor(timeMs / minuteMs) * minuteMs;

function prepare(database: StateDatabase) {
  return {
    insert: database.query(
      `INSERT OR REPLACE INTO minute_traffic (boot_id, seq, minute_start_ms, observed_ms, texts, traffic, queued)
       VALUES ($bootId, $seq, $minuteStartMs, $observedMs, $texts, $traffic, $queued)`,
    ),
    selectRates: database.query<MinuteSums, [number, number]>(
      `SELECT minute_start_ms AS minuteStartMs, sum(observed_ms) AS observedMs, sum(texts) AS texts
       FROM minute_traffic WHERE minute_start_ms >= ? AND minute_start_ms < ? GROUP BY minute_start_ms`,
    ),
    countMinutes: database.query<{ minutes: number }, []>("SELECT count(*) AS minutes FROM minute_traffic"),
    selectUnqueued: database.query<{ bootId: string; seq: number; traffic: string }, []>(
      `SELECT boot_id AS bootId, seq, traffic FROM minute_traffic WHERE queued = 0 ORDER BY minute_start_ms, seq`,
    ),
    updateQueued: database.query(`UPDATE minute_traffic SET queued = 1 WHERE boot_id = ? AND seq = ?`),
    rename: database.query(
      `UPDATE minute_traffic SET traffic = replace(traffic, $from, $to) WHERE instr(traffic, $from) > 0`,
    ),
    deleteBefore: database.query(`DELETE FROM minute_traffic WHERE minute_start_ms < ? AND queued = 1`),
  };
}

/** Durable record of requests, answered or not, minute by minute: a crash loses at most the current minute. */
export class TrafficRecord implements TrafficSink {
  readonly #bootId: string;
  readonly #nowMs: () => number;
  readonly #speed: number;
  readonly #storage: StorageWatch;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #open = new Map<number, MinuteCounts>();
  /** Minutes that are not on disk, in order; newer than those of this boot that are. */
  readonly #unwritten: Unwritten[] = [];
  /** Recent minutes of this boot, in order. */
  readonly #recent: MinuteSums[] = [];
  /** Minutes on disk that were queued since, which could not be written. */
  readonly #unmarked: MinuteKey[] = [];
  #observedFromMs: number;
  #seq = 0;
  #lastClosedTexts = 0;

  /**
   * @param startMs beginning of this boot's observation
   * @param speed milliseconds of the clock per real one, in which computations are timed
   */
  constructor(
    database: StateDatabase,
    bootId: string,
    startMs: number,
    nowMs: () => number,
    storage: StorageWatch = strictStorage,
    speed = 1,
  ) {
    this.#speed = speed;
    this.#bootId = bootId;
    this.#observedFromMs = startMs;
    this.#nowMs = nowMs;
    this.#storage = storage;
    this.#statements = prepare(database);
    const waiting = () => ({ records: this.#unwritten.length, bytes: this.#unwrittenBytes() });
    storage.keep({ flush: () => this.#flush(), waiting });
  }

  recordServed(request: ServedRequest): void {
    this.#current().add({ ...request, computeMs: request.computeMs * this.#speed });
  }

  recordRefused(request: RefusedRequest): void {
    this.#current().addRefused(request);
  }

  recordWork(work: PeerWork): void {
    this.#current().addWork({ ...work, computeMs: work.computeMs * this.#speed });
  }

  /**
   * Closes every minute that ended by `nowMs`, records it (in memory while the disk can't be written) and returns them, oldest first; minutes
   * without requests too (zero is not a gap). After a clock jump of more than five minutes the minutes in between stay a gap.
   */
  closeMinutes(nowMs: number): RecordedMinute[] {
    return this.#closeUntil(startOfMinute(nowMs));
  }

  /** Also closes the minute under way, for an orderly end. */
  closeAll(nowMs: number): RecordedMinute[] {
    return this.#closeUntil(Math.round(nowMs));
  }

  /** Returns the work of this agent, texts per second, in each of the `count` minutes before that of `nowMs`, oldest first; null where less than half was observed. */
  recentRates(count: number, nowMs: number): MinuteRate[] {
    const endMs = startOfMinute(nowMs);
    const startMs = endMs - count * minuteMs;
    const rows = this.#read(() => this.#statements.selectRates.all(startMs, endMs), null);
    const byMinute = new Map(rows?.map((row) => [row.minuteStartMs, row]));
    // Without the disk, the minutes that this boot counted are still known.
    if (rows === null) for (const minute of this.#recent) addRate(byMinute, minute, minute.texts);
    else for (const { traffic, texts } of this.#unwritten) addRate(byMinute, traffic, texts);
    return Array.from({ length: count }, (_, index) => {
      const minuteStartMs = startMs + index * minuteMs;
      const row = byMinute.get(minuteStartMs);
      const observed = row !== undefined && row.observedMs >= minuteMs / 2;
      return { minuteStartMs, qps: observed ? row.texts / (row.observedMs / 1000) : null };
    });
  }

  /** Returns the number of minutes on record. */
  recordedMinutes(): number {
    const onDisk = this.#read(() => this.#statements.countMinutes.get()?.minutes, 0) ?? 0;
    return onDisk + this.#unwritten.length;
  }

  /** Returns the work of this agent, texts per second: of the minute under way, of the last minute in its first 20 s, or of the last 60 s while it has few texts. */
  liveQps(nowMs: number): number {
    const minuteStartMs = startOfMinute(nowMs);
    const elapsedMs = nowMs - Math.max(minuteStartMs, this.#observedFromMs);
    const lastTexts = this.#lastClosedTexts;
    if (elapsedMs < 20_000) return lastTexts / (minuteMs / 1000);
    const texts = this.#open.get(minuteStartMs)?.workTexts() ?? 0;
    // A few texts in 20 s are no rate: one more or less would look like a change. The last 60 s are better.
    if (texts < minTextsOfRate && lastTexts > 0)
      return (texts + lastTexts * Math.max(0, 1 - elapsedMs / minuteMs)) / (minuteMs / 1000);
    return texts / (elapsedMs / 1000);
  }

  /** Returns recorded minutes whose message never reached the outbox: the process died in between. */
  unqueued(): RecordedMinute[] {
    const rows = this.#read(() => this.#statements.selectUnqueued.all(), []);
    return rows.flatMap(({ bootId, seq, traffic }) => {
      const read = decodeOwnText(MinuteTraffic, traffic);
      if (read !== null) return [{ bootId, seq, traffic: read }];
      // Not written by this program: it is not read again.
      this.#storage.lose("unreadable", 1);
      this.#unmarked.push({ bootId, seq });
      return [];
    });
  }

  markQueued({ bootId, seq }: MinuteKey): void {
    const waiting = this.#findUnwritten({ bootId, seq });
    if (waiting !== undefined) {
      waiting.queued = true;
      return;
    }
    this.#unmarked.push({ bootId, seq });
    this.#flush();
    if (this.#unmarked.length > maxTail) this.#unmarked.shift();
  }

  /** Marks a minute that is on disk within the caller's transaction. Returns false, and does nothing, for one that is not. */
  markOnDisk({ bootId, seq }: MinuteKey): boolean {
    if (this.#findUnwritten({ bootId, seq }) !== undefined) return false;
    this.#statements.updateQueued.run(bootId, seq);
    return true;
  }

  /** Deletes queued minutes that began before `beforeMs`. */
  prune(beforeMs: number): void {
    this.#storage.attempt("deleting from the traffic record", () => this.#statements.deleteBefore.run(beforeMs), null);
  }

  /**
   * Puts another name in the place of a tenant's: in the minutes under way, those that wait in memory, and those on disk, whose number it returns.
   * @throws what the database throws
   */
  renameTenant(from: string, to: string): number {
    for (const counts of this.#open.values()) counts.renameTenant(from, to);
    const names = { from: tenantInJson(from), to: tenantInJson(to) };
    for (const [index, minute] of this.#unwritten.entries()) {
      const json = minute.json.replaceAll(names.from, names.to);
      if (json !== minute.json) this.#unwritten[index] = { ...minute, json, traffic: JSON.parse(json) };
    }
    return this.#statements.rename.run(names).changes;
  }

  #current(): MinuteCounts {
    const minuteStartMs = startOfMinute(this.#nowMs());
    let minute = this.#open.get(minuteStartMs);
    if (minute === undefined) {
      minute = createMinuteCounts();
      this.#open.set(minuteStartMs, minute);
    }
    return minute;
  }

  /** Closes what was observed up to `untilMs`, which need not end a minute. */
  #closeUntil(untilMs: number): RecordedMinute[] {
    const closed: RecordedMinute[] = [];
    const stalled = untilMs - this.#observedFromMs > maxStallMs;
    // The clock was set back: observation continues from its present time.
    if (untilMs < this.#observedFromMs - minuteMs) this.#observedFromMs = startOfMinute(untilMs);
    while (this.#observedFromMs < untilMs) {
      const minuteStartMs = startOfMinute(this.#observedFromMs);
      const endMs = Math.min(minuteStartMs + minuteMs, untilMs);
      const counted = this.#open.has(minuteStartMs) || !stalled || endMs + minuteMs > untilMs;
      if (counted) closed.push(this.#close(minuteStartMs, endMs - this.#observedFromMs));
      else this.#lastClosedTexts = 0;
      this.#observedFromMs = endMs;
    }
    this.#flush();
    this.#limitMemory();
    return closed;
  }

  #close(minuteStartMs: number, observedMs: number): RecordedMinute {
    const counts = this.#open.get(minuteStartMs) ?? createMinuteCounts();
    this.#open.delete(minuteStartMs);
    const traffic: MinuteTraffic = { minuteStartMs, observedMs, ...counts.traffic() };
    const texts = counts.workTexts();
    this.#seq += 1;
    this.#lastClosedTexts = texts;
    const minute = { bootId: this.#bootId, seq: this.#seq, traffic };
    this.#recent.push({ minuteStartMs, observedMs, texts });
    if (this.#recent.length > maxTail) this.#recent.shift();
    this.#unwritten.push({ ...minute, texts, json: JSON.stringify(traffic), queued: false });
    return minute;
  }

  #findUnwritten({ bootId, seq }: MinuteKey): Unwritten | undefined {
    return this.#unwritten.find((minute) => minute.bootId === bootId && minute.seq === seq);
  }

  #flush(): void {
    for (let [minute] = this.#unwritten; minute !== undefined; [minute] = this.#unwritten) {
      const { bootId, seq, traffic, texts, json, queued } = minute;
      const { minuteStartMs, observedMs } = traffic;
      const row = { bootId, seq, minuteStartMs, observedMs, texts, traffic: json, queued: Number(queued) };
      if (!this.#write(() => this.#statements.insert.run(row))) break;
      this.#unwritten.shift();
    }
    for (let [key] = this.#unmarked; key !== undefined; [key] = this.#unmarked) {
      const { bootId, seq } = key;
      if (!this.#write(() => this.#statements.updateQueued.run(bootId, seq))) break;
      this.#unmarked.shift();
    }
  }

  #read<T, U>(read: () => T, otherwise: U): T | U {
    return this.#storage.attempt("reading the traffic record", read, otherwise);
  }

  #write(write: () => unknown): boolean {
    return this.#storage.attempt(
      "writing the traffic record",
      () => {
        write();
        return true;
      },
      false,
    );
  }

  #unwrittenBytes(): number {
    return this.#unwritten.reduce((bytes, { json }) => bytes + json.length, 0);
  }

  /** Drops the oldest history for forecasts; the messages wait in the outbox. */
  #limitMemory(): void {
    for (let bytes = this.#unwrittenBytes(); this.#unwritten.length > maxTail || bytes > maxTailBytes; )
      bytes -= this.#unwritten.shift()?.json.length ?? 0;
  }
}
