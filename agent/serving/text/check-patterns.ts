import { readFileSync } from "node:fs";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { isKnownPattern, patternsOf, type TokenizerPattern } from "./tokenizer-patterns.ts";

/** CPU time between two signs of life: a text that takes longer would go on for ever. The start of the process is the first sign. */
const maxSilentCpuMs = 1_000;
const maxStartCpuMs = 20_000;
/** For the whole, also where CPU time can't be read. */
const maxMs = 120_000;
const lookMs = 20;
const ticksPerSecond = 100;

/** Patterns that were found to be fast: a model that is loaded again is not tried again. */
const tried = new Set<string>();

function cpuMsOf(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
  } catch {
    return null;
  }
}

/** Tries a pattern in a process of its own, which is killed when it takes too long. */
async function verdictOn(pattern: string): Promise<"fast" | "slow" | "invalid"> {
  const child = Bun.spawn([...selfCommand(), "tokenizer-probe"], {
    stdin: new Blob([`${JSON.stringify(pattern)}\n`]),
    stdout: "pipe",
    stderr: "ignore",
    env: childEnvironment("worker"),
  });
  const startedMs = performance.now();
  let said = "";
  let aliveCpuMs = 0;
  const watching = setInterval(() => {
    const cpuMs = cpuMsOf(child.pid) ?? 0;
    const silentMs = cpuMs - aliveCpuMs;
    const overdue = silentMs > (said === "" ? maxStartCpuMs : maxSilentCpuMs);
    if (overdue || performance.now() - startedMs > maxMs) child.kill("SIGKILL");
  }, lookMs);
  try {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      said = said.concat(decoder.decode(chunk)).slice(-64);
      aliveCpuMs = cpuMsOf(child.pid) ?? aliveCpuMs;
    }
    await child.exited;
    const verdict = said.trim().split("\n").at(-1);
    return verdict === "fast" || verdict === "invalid" ? verdict : "slow";
  } finally {
    clearInterval(watching);
  }
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
