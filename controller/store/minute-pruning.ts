import type { Database } from "bun:sqlite";
import { bounds } from "#protocol/bounds.ts";
import { createSettling } from "./settle-journal.ts";
import type { MinuteStore } from "./store.ts";

/** Max rows of a removal, so that it does not block other requests. */
const prunedAtOnce = 2000;

/** Care for stored minutes: removal by age and by the size of the database, and that they outlast a power cut. */
export function createMinutePruning(
  database: Database,
): Pick<MinuteStore, "pruneMinutes" | "pruneToSize" | "usedBytes" | "settled"> {
  // After a start with a clock in the past, as of a device that has lost its time, stored minutes must not count as the future.
  const prune = database.query(
    `DELETE FROM minute WHERE minute_start_ms < $beforeMs OR minute_start_ms >= $dayMs + max($nowMs,
       coalesce((SELECT max(last_at_ms) FROM decision WHERE last_at_ms <= ${bounds.timeMs}), 0))`,
  );
  const pruneOldest = database.query(
    `DELETE FROM minute WHERE (agent_id, boot_id, seq) IN
       (SELECT agent_id, boot_id, seq FROM minute ORDER BY minute_start_ms LIMIT ${prunedAtOnce})`,
  );
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
      return prune.run({ beforeMs: Math.floor(beforeMs), nowMs: Math.ceil(nowMs), dayMs: bounds.durationMs }).changes;
    },
    async pruneToSize(maxBytes) {
      let removed = 0;
      while (usedBytes() > maxBytes) {
        const { changes } = pruneOldest.run();
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
