import type { LoadResult } from "#agent/power/calibration/sweep-modes.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs, secondMs } from "#platform/time.ts";

/** Load: open loop at a rate, or closed loop with a number of clients. */
type LoadLevel = { readonly rateQps: number } | { readonly clients: number };

/** Timeout of a request, short because an overloaded server need not be waited for. */
const timeoutS = 5;
/** Time for the process' start, last requests and report. */
const graceMs = minuteMs;

/**
 * Loads the server from another process, as clients do: runs `thormesh load` and reads its report.
 * @throws the signal's reason when it aborts, Error when the command fails without a report.
 */
export async function loadByProcess(
  target: { readonly url: string; readonly model: string; readonly texts: string },
  level: LoadLevel,
  durationMs: number,
  signal: AbortSignal,
): Promise<LoadResult> {
  signal.throwIfAborted();
  const amount =
    "rateQps" in level ? ["--rate", String(Math.max(0.1, level.rateQps))] : ["--clients", String(level.clients)];
  const child = Bun.spawn(
    [
      ...selfCommand(),
      "load",
      ...["--url", target.url, "--model", target.model, "--texts", target.texts],
      ...amount,
      ...["--duration", String(durationMs / 1000), "--timeout", String(timeoutS), "--json"],
    ],
    { env: childEnvironment("worker"), stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const timer = setTimeout(kill, durationMs + timeoutS * secondMs + graceMs);
  try {
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    signal.throwIfAborted();
    const report = readReport(output);
    if (report === null) throw new Error(`thormesh load gave no report: ${(errors || output).trim().slice(0, 500)}`);
    return report;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

function readReport(output: string): LoadResult | null {
  try {
    const report = JSON.parse(output) as { latencyMs: { p95: number | null }; achievedRps: number; errorRate: number };
    const { achievedRps, errorRate } = report;
    return { p95Ms: report.latencyMs.p95, answeredQps: achievedRps, failedShare: errorRate };
  } catch {
    return null;
  }
}
