import { writeSync } from "node:fs";
import { ReplaceNormalizer, SplitPreTokenizer } from "@huggingface/tokenizers";
import { maxSliceCharacters } from "#agent/serving/text/slice-text.ts";
import { provokingTexts } from "#agent/serving/text/tokenizer-patterns.ts";

/** A slice of a text, grown as Unicode's normal forms make it grow. */
const textCharacters = 2 * maxSliceCharacters;
/** CPU time on one text: a busy machine does not make a pattern slow. */
const maxCpuMs = 200;
const tries = 3;

/** More signs of life than these would fill the pipe. */
const signPauseMs = 100;

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Tries a regular expression on texts that provoke it, as a tokenizer runs it: a text of a few thousand characters may be what never ends,
 * so whoever calls this watches the time too.
 * @param onAlive is called before each of them
 * @returns whether it is fast on all of them
 * @throws Error where it is no regular expression
 */
export function isFastPattern(pattern: string, onAlive: () => void = () => {}): boolean {
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
    let least = Number.POSITIVE_INFINITY;
    try {
      for (let i = 0; i < tries && least > maxCpuMs; i += 1) least = Math.min(least, cpuMs(work));
    } catch {
      return false; // the engine ran out of stack or memory
    }
    if (least > maxCpuMs) return false;
  }
  return true;
}

/** Reads a pattern a line from standard input, as JSON strings, and writes `fast`, `slow` or `invalid` for each; before it a dot a text, as a sign of life. */
export async function runTokenizerProbe(): Promise<void> {
  for await (const line of console) {
    if (line === "") continue;
    let verdict = "invalid";
    try {
      let saidMs = Number.NEGATIVE_INFINITY;
      const alive = () => {
        if (performance.now() - saidMs < signPauseMs) return;
        saidMs = performance.now();
        writeSync(1, ".\n");
      };
      alive();
      verdict = isFastPattern(JSON.parse(line), alive) ? "fast" : "slow";
    } catch {
      // It says so.
    }
    writeSync(1, `${verdict}\n`);
  }
}
