import { join } from "node:path";
import type { LoadReport } from "#tools/load/load-report.ts";
import type { TextLength } from "#tools/load/load-texts.ts";
import type { ServerStretch } from "./figures.ts";
import type { RunningServer } from "./servers.ts";

export interface LoadWanted {
  readonly texts: TextLength;
  /** Closed loop; else `rate`, open loop. */
  readonly clients?: number;
  readonly rate?: number;
  readonly seconds: number;
  readonly repeatShare?: number;
}

const program = join(import.meta.dir, "..", "..", "..", "main.ts");

/** Runs `thormesh load` in a process of its own against a server; no two runs send the same texts. */
export async function generateLoad(server: RunningServer, wanted: LoadWanted): Promise<ServerStretch> {
  const level = wanted.clients === undefined ? ["--rate", String(wanted.rate)] : ["--clients", String(wanted.clients)];
  const child = Bun.spawn(
    [
      ...[process.execPath, program, "load", "--url", server.url, "--texts", wanted.texts, ...level],
      ...["--duration", String(wanted.seconds), "--repeat-share", String(wanted.repeatShare ?? 0)],
      ...["--watch-pid", String(server.pid), "--timeout", "120", "--json"],
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  const report = JSON.parse(await new Response(child.stdout).text()) as LoadReport;
  const serverCpuS = report.watched?.cpuS ?? 0;
  return {
    textsPerS: report.textsPerS,
    seconds: report.durationMs / 1_000,
    serverCpuS,
    clientCpuS: report.clientCpuS,
    otherCpuS: Math.max(0, (report.machineCpuS ?? 0) - serverCpuS - report.clientCpuS),
    errors: report.rejected + report.failed,
    p50Ms: report.latencyMs.p50,
    p95Ms: report.latencyMs.p95,
  };
}
