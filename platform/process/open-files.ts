import { readdirSync, readFileSync } from "node:fs";
import type { Logger } from "../log.ts";
import { minuteMs } from "../time.ts";

/** Returns how many files, connections included, this process may open; null: unknown. Bun has raised it to the hard limit at the start. */
export function readFileLimit(): number | null {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null;
  }
}

/** Counts the files that this process has open; null: unknown. `none-left`: no more can be opened, not even to count them. */
export function countOpenFiles(): number | "none-left" | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EMFILE" ? "none-left" : null;
  }
}

export interface OpenFilesWatch {
  /** Looks at the open files; call it every few seconds. */
  look(): void;
  /** Makes one of the checks of health. */
  check(): { readonly status: "healthy" | "degraded"; readonly detail: string };
}

/** Files beside connections: the state, the log, child processes, libraries. */
export const otherFiles = 100;
/** Files below the limit at which there is room for no more than what the program itself opens. */
const reserve = 2;
/** Time for which a look that found no room degrades health, and between two warnings. */
const shownForMs = minuteMs;

const remedy = "raise it with ulimit -n, LimitNOFILE= of the service, or --ulimit nofile= of the container";

/**
 * Watches the limit of open files: at the limit the kernel accepts no connections for this process, without any error.
 * Warns at once when the limit is below what the configuration allows clients to use.
 * @param wanted.files connections allowed by the configuration, plus other files
 * @param wanted.by keys of the configuration that say so
 */
export function watchOpenFiles(
  wanted: { readonly files: number; readonly by: string },
  log: Logger,
  parts: {
    readonly limit?: number | null;
    readonly count?: typeof countOpenFiles;
    readonly nowMs?: () => number;
  } = {},
): OpenFilesWatch {
  const { limit = readFileLimit(), count = countOpenFiles, nowMs = () => performance.now() } = parts;
  const small = limit !== null && limit < wanted.files;
  if (small) {
    log.warn(
      { limit, wanted: wanted.files },
      `this process may open ${limit} files, connections included, but ${wanted.by} admit ${wanted.files}: ${remedy}`,
    );
  }
  let lastFullMs: number | null = null;
  let warnedMs = Number.NEGATIVE_INFINITY;
  const isFull = () => lastFullMs !== null && nowMs() - lastFullMs < shownForMs;
  return {
    look() {
      const open = count();
      const isFree = typeof open === "number" && limit !== null && open < limit - reserve;
      if (open === null || limit === null || isFree) return;
      lastFullMs = nowMs();
      if (nowMs() - warnedMs < shownForMs) return;
      warnedMs = nowMs();
      log.warn(
        { limit, open },
        `all ${limit} files that this process may open are open, so no further connections are accepted: ${remedy}`,
      );
    },
    check() {
      if (limit === null) return { status: "healthy", detail: "the limit of open files is unknown" };
      if (isFull()) {
        const detail = `all ${limit} files that this process may open were open within the last minute: no further connections were accepted`;
        return { status: "degraded", detail };
      }
      const detail = `this process may open ${limit} files`;
      return { status: "healthy", detail: small ? `${detail}; ${wanted.by} admit ${wanted.files}` : detail };
    },
  };
}
