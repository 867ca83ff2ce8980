import { readFileSync } from "node:fs";
import { startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { isKnownPattern, patternsOf, type TokenizerPattern } from "./tokenizer-patterns.ts";

/** CPU time between two signs of life (a busy machine does not make a pattern slow): a text that takes longer would take for ever. */
const maxSilentCpuMs = 1_000;
const maxStartCpuMs = 20_000;
/** For the whole, also where CPU time can't be read. */
const maxMs = 120_000;
const ticksPerSecond = 100;

/** Patterns that were found to be fast, so that they are not tried again when a model is loaded again. */
const tried = new Set<string>();

function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
  } catch {
    return 0;
  }
}

/** Tries a pattern in a process of its own, which is killed when it takes too long. */
async function verdictOn(pattern: string): Promise<string> {
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
  await worker.lost;
  clearTimeout(timer);
  return verdict;
}

async function refuseSlow({ place, pattern }: TokenizerPattern): Promise<void> {
  if (isKnownPattern(pattern) || tried.has(pattern)) return;
  const verdict = await verdictOn(pattern);
  if (verdict === "fast") {
    tried.add(pattern);
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
 * Refuses a tokenizer whose regular expressions take a time out of all proportion on some text: they run where all requests are served.
 * Those of published families are known; others are tried first.
 * @param definition the parsed tokenizer.json
 * @throws Error naming the place in the file and the expression.
 */
export async function refuseSlowPatterns(definition: object): Promise<void> {
  for (const pattern of patternsOf(definition)) await refuseSlow(pattern);
}
