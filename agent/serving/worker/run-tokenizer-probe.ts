import { writeSync } from "node:fs";
import { ReplaceNormalizer, SplitPreTokenizer } from "@huggingface/tokenizers";
import { maxHeld } from "#agent/serving/text/parts/split.ts";
import { provokingTexts } from "#agent/serving/text/tokenizer-patterns.ts";

/** About the length of a text's part that an expression of an unknown model sees at once. */
const textCharacters = maxHeld;
/** Maximum CPU time on one text (a busy machine does not make a pattern slow). */
const maxCpuMs = 200;
const tries = 3;

/** Shortest time between two signs of life: more of them would fill the pipe. */
const signPauseMs = 100;

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Runs a regular expression as a tokenizer does, on texts that provoke it. One text of a few thousand characters may take for ever, so the
 * caller watches the time too.
 * @returns true when it is fast on all of them
 * @throws Error when it is not a regular expression
 */
function isFastPattern(pattern: string, onAlive: () => void): boolean {
  const split = new SplitPreTokenizer({
    type: "Split",
    pattern: { Regex: pattern },
    behavior: "Isolated",
    invert: false,
  });
  const replace = new ReplaceNormalizer({ type: "Replace", pattern: { Regex: pattern }, content: " " });
  for (const text of provokingTexts(pattern, textCharacters)) {
    onAlive();
    const work = () => {
      split.pre_tokenize_text(text);
      replace.normalize(text);
    };
    let shortestMs = Number.POSITIVE_INFINITY;
    try {
      for (let i = 0; i < tries && shortestMs > maxCpuMs; i += 1) shortestMs = Math.min(shortestMs, cpuMs(work));
    } catch {
      return false; // the engine ran out of stack or memory
    }
    if (shortestMs > maxCpuMs) return false;
  }
  return true;
}

/**
 * Tries one pattern and writes `fast`, `slow` or `invalid`; before it a dot now and then, as a sign of life.
 * @param json the pattern as a JSON string
 */
export function runTokenizerProbe(json: string): void {
  let saidMs = Number.NEGATIVE_INFINITY;
  const onAlive = () => {
    if (performance.now() - saidMs < signPauseMs) return;
    saidMs = performance.now();
    writeSync(1, ".\n");
  };
  onAlive();
  let verdict = "invalid";
  try {
    verdict = isFastPattern(JSON.parse(json), onAlive) ? "fast" : "slow";
  } catch {
    // It says so.
  }
  writeSync(1, `${verdict}\n`);
}
