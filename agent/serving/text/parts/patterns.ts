import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { unassigned } from "./character-classes.ts";

/** Compiles a regular expression of the reference's dialect. */
export function compileRegex(regex: string): RegExp {
  const { pattern } = new SplitPreTokenizer({
    type: "Split",
    pattern: { Regex: regex },
    behavior: "Isolated",
    invert: true,
  });
  if (pattern === null) throw new Error(`${JSON.stringify(regex)} is not a regular expression. This is a bug.`);
  return pattern;
}

export const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const hasUnassigned = new RegExp(unassigned, "v");
const everyUnassigned = new RegExp(unassigned, "gv");

/** Replaces characters that the reference's expressions don't know by unassigned ones of the same length. */
export function maskUnassigned(text: string): string {
  if (!hasUnassigned.test(text)) return text;
  return text.replace(everyUnassigned, (character) => (character.length === 2 ? "\u{3fffd}" : "\u0378"));
}
