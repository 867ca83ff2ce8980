import { readdirSync, readFileSync } from "node:fs";
import type { Registry } from "prom-client";
import { registerGauge, registerGauges, registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { version } from "#platform/version.ts";

/** Reads a figure from a file of /proc; null where there is none. */
function fromProc(path: string, pattern: RegExp): number | null {
  try {
    const figure = Number(pattern.exec(readFileSync(path, "utf8"))?.[1] ?? Number.NaN);
    return Number.isFinite(figure) ? figure : null;
  } catch {
    return null;
  }
}

function openFiles(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}

/**
 * Registers what Prometheus expects of every process, and which build it is. The client library's own set is of Node.js: under Bun most of it
 * is always zero.
 * @param program agent or controller
 */
export function registerProcessMetrics(registry: Registry, program: "agent" | "controller"): void {
  const target = `${process.platform}-${process.arch}`;
  registerGauges(
    registry,
    "thormesh_build_info",
    "Always 1; labels describe the running program",
    ["version", "program", "target", "bun"],
    () => [[{ version, program, target, bun: Bun.version }, 1]],
  );
  registerTotal(registry, "process_cpu_seconds_total", "CPU time of the service, without its child processes", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  const startTimeS = Math.round(Date.now() / 1000 - process.uptime());
  registerGauge(registry, "process_start_time_seconds", "Start of the process, s since the epoch", () => startTimeS);
  registerGauge(
    registry,
    "process_resident_memory_bytes",
    "Resident memory of the service, without its child processes",
    () => process.memoryUsage.rss(),
  );
  registerGauge(registry, "process_virtual_memory_bytes", "Address space of the process", () => {
    const kilobytes = fromProc("/proc/self/status", /^VmSize:\s+(\d+) kB/m);
    return kilobytes === null ? null : 1024 * kilobytes;
  });
  registerGauge(registry, "process_open_fds", "Open files and sockets", openFiles);
  registerGauge(registry, "process_max_fds", "Limit of open files and sockets", () =>
    fromProc("/proc/self/limits", /^Max open files\s+(\d+)/m),
  );
}
