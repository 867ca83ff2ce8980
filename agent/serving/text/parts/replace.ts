import type { Normalizer } from "./normalizers.ts";
import type { Part } from "./part.ts";
import { compileRegex } from "./patterns.ts";

/** Replaces a text wherever it occurs. The end of a part that may be the beginning of an occurrence is held back. */
function replaceText(wanted: string, content: string): Normalizer {
  return {
    start() {
      let held = "";
      return (text, ends) => {
        let rest = held + text;
        let result = "";
        for (let at = rest.indexOf(wanted); at >= 0; at = rest.indexOf(wanted)) {
          result += rest.slice(0, at) + content;
          rest = rest.slice(at + wanted.length);
        }
        let kept = ends ? 0 : Math.min(wanted.length - 1, rest.length);
        while (kept > 0 && !wanted.startsWith(rest.slice(rest.length - kept))) kept -= 1;
        held = rest.slice(rest.length - kept);
        return result + rest.slice(0, rest.length - kept);
      };
    },
  };
}

/** Replaces runs of at least `min` characters of a class. Of a run at a part's end as many are held back. */
function replaceRuns(characters: string, min: number, content: string): Normalizer {
  const everyRun = compileRegex(`${characters}{${min},}`);
  const { source, flags } = compileRegex(`${characters}+`);
  const atStart = new RegExp(`^(?:${source})`, flags.replace("g", ""));
  const atEnd = new RegExp(`(?:${source})$`, flags.replace("g", ""));
  const endOf = (text: string): string => {
    // From the last character that is in no run: the search would begin at each character of a long one.
    for (let from = Math.max(0, text.length - 64); ; from = Math.max(0, from - 4_096)) {
      const run = atEnd.exec(text.slice(from))?.[0] ?? "";
      if (from === 0 || run.length < text.length - from) return run;
    }
  };
  return {
    start() {
      let held = "";
      let inRun = false;
      return (text, ends) => {
        let rest = held + text;
        held = "";
        if (inRun) {
          rest = rest.replace(atStart, "");
          inRun = rest === "";
        }
        if (ends || rest === "") return rest.replace(everyRun, () => content);
        const run = endOf(rest);
        if ([...run].length >= min) inRun = true;
        else held = run;
        const before = rest.slice(0, rest.length - held.length);
        return before.replace(everyRun, () => content);
      };
    },
  };
}

/** One character or class of them, and how often: `\s+`, ` {2,}`, `[\r\n]`. */
const runPattern = /^(\[(?:[^\]\\[&]|\\.)+\]|\\[^pPxuoXRKGAbBzZkg\d]|[^\\[(){}.^$|?*+])(\+|\{(\d+),\})?$/u;

/** Creates the normaliser that replaces a text or runs of characters. */
export function createReplace(part: Part): Normalizer {
  const content = part.text("content");
  const pattern = part.take("pattern") as { String?: unknown; Regex?: unknown } | undefined;
  if (typeof pattern?.String === "string" && pattern.String !== "") return replaceText(pattern.String, content);
  if (typeof pattern?.Regex !== "string") throw part.refuse("pattern", "a text or a regular expression", pattern);
  const [, characters, count, min] = runPattern.exec(pattern.Regex) ?? [];
  if (characters === undefined)
    throw part.refuse(
      "pattern.Regex",
      "a character or a class of them, also repeated (`\\s+`, ` {2,}`)",
      pattern.Regex,
    );
  if (count !== undefined) return replaceRuns(characters, Number(min ?? 1), content);
  const every = compileRegex(pattern.Regex);
  return { start: () => (text) => text.replace(every, () => content) };
}
