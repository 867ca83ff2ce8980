import type { Database } from "bun:sqlite";
import { bounds } from "#protocol/bounds.ts";
import { createSettling } from "./settle-journal.ts";
import type { MinuteStore } from "./store.ts";

/** Max rows of a removal, so that it does not block other requests. */
const prunedAtOnce = 500;

/** Care for stored minutes: removal by age and by the size of the database, and that they outlast a power cut. */
export function createMinutePruning(
  database: Database,
): Pick<MinuteStore, "pruneMinutes" | "pruneToSize" | "usedBytes" | "settled"> {
  const newestDecision = database.query<{ atMs: number | null }, []>(
    `SELECT max(last_at_ms) AS atMs FROM decision WHERE last_at_ms <= ${bounds.timeMs}`,
  );
  /** Removes some of the oldest minutes that are in a range of time. */
  const pruneSome = database.query(
    `DELETE FROM minute WHERE (agent_id, boot_id, seq) IN (SELECT agent_id, boot_id, seq FROM minute
       WHERE minute_start_ms >= $fromMs AND minute_start_ms < $beforeMs ORDER BY minute_start_ms LIMIT ${prunedAtOnce})`,
  );
  /** Removes all of a range, and lets other work through meanwhile: an hour of a large fleet is many. */
  const pruneRange = async (fromMs: number, beforeMs: number): Promise<number> => {
    let removed = 0;
    for (;;) {
      const { changes } = pruneSome.run({ fromMs, beforeMs });
      removed += changes;
      if (changes < prunedAtOnce) return removed;
      await Bun.sleep(0);
    }
  };
  const pages = database.query<{ pages: number; free: number; bytes: number }, []>(
    `SELECT (SELECT page_count FROM pragma_page_count) AS pages, (SELECT freelist_count FROM pragma_freelist_count) AS free,
       (SELECT page_size FROM pragma_page_size) AS bytes`,
  );
  const usedBytes = () => {
    const size = pages.get();
    return size === null ? 0 : (size.pages - size.free) * size.bytes;
  };

  return {
    async pruneMinutes(beforeMs, nowMs) {
      // After a start with a clock in the past, as of a device that has lost its time, stored minutes must not count as the future.
      const newestMs = Math.max(Math.ceil(nowMs), newestDecision.get()?.atMs ?? 0);
      const ofThePast = await pruneRange(Number.MIN_SAFE_INTEGER, Math.floor(beforeMs));
      return ofThePast + (await pruneRange(newestMs + bounds.durationMs, Number.MAX_SAFE_INTEGER));
    },
    async pruneToSize(maxBytes) {
      let removed = 0;
      while (usedBytes() > maxBytes) {
        const { changes } = pruneSome.run({ fromMs: Number.MIN_SAFE_INTEGER, beforeMs: Number.MAX_SAFE_INTEGER });
        if (changes === 0) break;
        removed += changes;
        await Bun.sleep(0);
      }
      return removed;
    },
    usedBytes,
    settled: createSettling(database),
  };
}
