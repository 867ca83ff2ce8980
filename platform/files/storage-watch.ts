import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { hourMs } from "../time.ts";

/** Records kept in memory until they can be written. */
interface MemoryTail {
  /** Tries to write them. */
  flush(): void;
  waiting(): { readonly records: number; readonly bytes: number };
}

export interface StorageStatus {
  /** Start and reason of a failure to write; null while writing works. */
  readonly failing: { readonly sinceMs: number; readonly reason: string } | null;
  /** Records waiting in memory to be written. */
  readonly waiting: { readonly records: number; readonly bytes: number };
  readonly lost: Readonly<Record<string, number>>;
}

/** Contains the effects of a full, read-only or broken disk, and reports them. */
export interface StorageWatch {
  /** Runs a read or write. Returns its result, or `otherwise` when it fails, which is reported. */
  attempt<T, U>(what: string, action: () => T, otherwise: U): T | U;
  /** Registers records that are kept in memory while they can't be written; retries follow the order of registration. */
  keep(tail: MemoryTail): void;
  /** Retries failed writes. Call it every minute. */
  retry(): void;
  /** Counts records that are lost for good. */
  lose(cause: string, records: number): void;
  status(): StorageStatus;
  check(): { readonly status: "healthy" | "degraded"; readonly detail: string };
}

/** Time for which a loss degrades health. */
const recentLossMs = hourMs;

/** Error text with SQLite's code. */
function reasonOf(what: string, error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return `${what}: ${describeError(error)}${typeof code === "string" ? ` (${code})` : ""}`;
}

/**
 * @param causes of losses, counted from 0 on
 * @param nowMs the program's clock
 */
export function createStorageWatch(log: Logger, causes: readonly string[], nowMs: () => number): StorageWatch {
  const tails: MemoryTail[] = [];
  const lost: Record<string, number> = Object.fromEntries(causes.map((cause) => [cause, 0]));
  let failing: { sinceMs: number; reason: string } | null = null;
  let failuresSinceRetry = 0;
  let lastLossMs = Number.NEGATIVE_INFINITY;

  const waiting = () => {
    const all = tails.map((tail) => tail.waiting());
    const sum = (of: "records" | "bytes") => all.reduce((total, each) => total + each[of], 0);
    return { records: sum("records"), bytes: sum("bytes") };
  };
  const fail = (reason: string) => {
    failuresSinceRetry += 1;
    if (failing === null) {
      failing = { sinceMs: nowMs(), reason };
      log.error({ reason }, "the state can't be written: records are kept in memory");
    } else failing = { ...failing, reason };
  };

  return {
    attempt(what, action, otherwise) {
      try {
        return action();
      } catch (error) {
        fail(reasonOf(what, error));
        return otherwise;
      }
    },
    keep: (tail) => void tails.push(tail),
    retry() {
      failuresSinceRetry = 0;
      for (const tail of tails) tail.flush();
      if (failing === null || failuresSinceRetry > 0 || waiting().records > 0) return;
      log.info({ sinceMs: Math.round(failing.sinceMs) }, "the state can be written again");
      failing = null;
    },
    lose(cause, records) {
      if (records <= 0) return;
      lost[cause] = (lost[cause] ?? 0) + records;
      lastLossMs = nowMs();
      log.error({ cause, records }, "records are lost");
    },
    status: () => ({ failing, waiting: waiting(), lost: { ...lost } }),
    check() {
      const { records, bytes } = waiting();
      const losses = Object.entries(lost).filter(([, count]) => count > 0);
      const lostText =
        losses.length === 0
          ? ""
          : `; lost since the start: ${losses.map(([cause, n]) => `${n} (${cause})`).join(", ")}`;
      if (failing === null) {
        const recent = Math.abs(nowMs() - lastLossMs) < recentLossMs;
        return { status: recent ? "degraded" : "healthy", detail: `the state is written to disk${lostText}` };
      }
      const since = new Date(failing.sinceMs).toISOString();
      const kept = `${records} records (${bytes} bytes) are waiting in memory`;
      return { status: "degraded", detail: `not written since ${since}: ${failing.reason}; ${kept}${lostText}` };
    },
  };
}

/** Lets every failure through, for programs that can't run without their disk. */
export const strictStorage: StorageWatch = {
  attempt: (_what, action) => action(),
  keep() {},
  retry() {},
  lose() {},
  status: () => ({ failing: null, waiting: { records: 0, bytes: 0 }, lost: {} }),
  check: () => ({ status: "healthy", detail: "" }),
};
