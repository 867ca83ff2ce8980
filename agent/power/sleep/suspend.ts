import type { Logger } from "#platform/log.ts";
import { createAnswerWatch } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { minuteMs } from "#platform/time.ts";

/** Jump of the wall clock between two looks that shows a sleep. */
const jumpMs = 5_000;
const lookEveryMs = 1_000;
/** Maximum time until a sleep begins: systemctl suspend returns before the device sleeps. */
const maxWaitMs = minuteMs;

/**
 * Runs the command that suspends this device and resolves when it is awake again: at the end of the command if it lasts as long as the
 * sleep, else once the clock has jumped. Also resolves when the command fails, when no sleep begins within a minute, and when `signal` aborts.
 */
export async function suspend(command: readonly string[], signal: AbortSignal, log: Logger): Promise<void> {
  const startedAtMs = Date.now();
  let child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  try {
    child = Bun.spawn([...command], {
      env: childEnvironment("command"),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      signal,
    });
  } catch (error) {
    log.error({ command: command[0], reason: (error as Error).message }, "the device can't be suspended");
    return;
  }
  const errors = new Response(child.stderr).text().catch(() => "");
  // Only the time in which this device was awake counts: the command may last as long as the sleep.
  const watch = createAnswerWatch({ tickMs: lookEveryMs, onSilent: () => child.kill("SIGKILL") });
  watch.begin(maxWaitMs);
  const exitCode = await child.exited;
  watch.stop();
  if (signal.aborted) return;
  if (exitCode !== 0) {
    log.error(
      { command: command[0], exitCode, reason: (await errors).trim().slice(0, 500) },
      "the device can't be suspended",
    );
    return;
  }
  let lookedAtMs = Date.now();
  if (lookedAtMs - startedAtMs >= jumpMs) return;
  const giveUpAtMs = lookedAtMs + maxWaitMs;
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  while (!signal.aborted && lookedAtMs < giveUpAtMs) {
    await Promise.race([Bun.sleep(lookEveryMs), aborted]);
    const nowMs = Date.now();
    if (nowMs - lookedAtMs >= jumpMs) return;
    lookedAtMs = nowMs;
  }
  if (!signal.aborted) log.warn({ command: command[0] }, "the suspend command ran, but the device did not sleep");
}
