import { readFileSync } from "node:fs";
import { startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import { isKnownPattern, patternsOf, type TokenizerPattern } from "./tokenizer-patterns.ts";

/** Maximum CPU time between two lines of output, and until the first one: a text that takes longer would never end. */
const maxSilentCpuMs = 1_000;
const maxStartCpuMs = 20_000;
/** Maximum total time, which also counts where CPU time can't be read. */
const maxMs = 2 * minuteMs;
const ticksPerSecond = 100;

/** Patterns that were found to be fast, remembered for models that are loaded again. */
const fastPatterns = new Set<string>();

function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
  } catch {
    return 0;
  }
}

/** Tries a pattern in a process of its own, which is killed when it takes too long. */
async function judgePattern(pattern: string): Promise<string> {
  let verdict = "slow";
  const worker = startChildWorker({
    command: [...selfCommand(), "tokenizer-probe", JSON.stringify(pattern)],
    onErrorLine() {},
    onLine(line) {
      if (line === ".") worker.watch.begin(maxSilentCpuMs);
      else verdict = line;
    },
    minDeadlineMs: maxSilentCpuMs,
    maxStoppedMs: Number.POSITIVE_INFINITY,
    clockMs: cpuMsOf,
    lostError: (reason) => new Error(reason),
  });
  worker.watch.begin(maxStartCpuMs);
  const timer = setTimeout(() => worker.drop("took too long"), maxMs);
  const { cause, reason } = await worker.lost;
  clearTimeout(timer);
  if (verdict === "slow" && (cause === "memory" || cause === "signal"))
    throw new Error(`the process that tests the tokenizer's expressions ${reason}`);
  return verdict;
}

async function refuseSlow({ place, pattern }: TokenizerPattern): Promise<void> {
  if (isKnownPattern(pattern) || fastPatterns.has(pattern)) return;
  const verdict = await judgePattern(pattern);
  if (verdict === "fast") {
    fastPatterns.add(pattern);
    return;
  }
  const shown = pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern;
  const why =
    verdict === "invalid"
      ? "is not a valid regular expression"
      : "takes too long on some texts, which would block the service";
  throw new Error(`${place}: ${JSON.stringify(shown)} ${why}`);
}

/**
 * Refuses a tokenizer with a regular expression that is too slow on some text, because it runs in the process that serves all requests. Those
 * of published model families are known to be fast; others are tried first.
 * @param definition the parsed tokenizer.json
 * @throws Error with the place in the file and the expression.
 */
export async function refuseSlowPatterns(definition: object): Promise<void> {
  for (const pattern of patternsOf(definition)) await refuseSlow(pattern);
}
