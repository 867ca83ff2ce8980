import { isKnownPattern } from "#agent/serving/text/tokenizer-patterns.ts";
import { punctuation, space } from "./character-classes.ts";
import type { Part } from "./part.ts";
import { compileRegex, escapeRegex } from "./patterns.ts";
import { behaviors, type PushPart, type Stage, splittingAtCharacters, splittingAtWords } from "./split.ts";

/** Names of the 256 bytes: printable characters of Latin-1 are themselves. */
const byteNames = (() => {
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : other++);
  });
})();

const sameAsBytes = /^[!-~]*$/;

function nameBytes(text: string): string {
  if (sameAsBytes.test(text)) return text;
  let named = "";
  for (const byte of Buffer.from(text)) named += byteNames[byte];
  return named;
}

/** Runs one stage after another. */
const chain =
  (stages: readonly Stage[]): Stage =>
  (next) =>
    stages.reduceRight((following, stage) => stage(following), next);

/** Changes each part by itself. */
const changing =
  (change: (text: string, starts: boolean, first: boolean) => string): Stage =>
  (next) =>
  (text, starts, ends, first) =>
    next(change(text, starts, first), starts, ends, first);

const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function byteLevel(part: Part): Stage {
  const stages: Stage[] = [];
  if (part.boolean("add_prefix_space", true))
    stages.push(changing((text, starts) => (starts && !text.startsWith(" ") ? ` ${text}` : text)));
  if (part.boolean("use_regex", true)) stages.push(splittingAtWords(compileRegex(gpt2Words), "Isolated", false, true));
  stages.push(changing(nameBytes));
  part.take("trim_offsets"); // only of places in the text
  return chain(stages);
}

function metaspace(part: Part): Stage {
  const mark = part.text("replacement", "▁");
  const legacyPrefix = part.boolean("add_prefix_space", true);
  const scheme = part.oneOf("prepend_scheme", ["always", "first", "never"], legacyPrefix ? "always" : "never");
  part.take("str_rep"); // of older files, the same as `replacement`
  const marking = changing((text, starts, first) => {
    const marked = text.replaceAll(" ", mark);
    const prepends = starts && (scheme === "always" || (scheme === "first" && first)) && !marked.startsWith(mark);
    return prepends ? mark + marked : marked;
  });
  if (!part.boolean("split", true)) return marking;
  return chain([marking, splittingAtCharacters(new RegExp(escapeRegex(mark), "gu"), "MergedWithNext")]);
}

/** Splits into pieces of so many characters. */
function fixedLength(length: number): Stage {
  const pattern = new RegExp(`[\\s\\S]{${length}}`, "gu");
  return (next) => {
    let held = "";
    let isFirst = false;
    return (text, starts, ends, first) => {
      if (starts) {
        held = "";
        isFirst = first;
      }
      held += text;
      for (const piece of held.match(pattern) ?? []) {
        next(piece, true, true, isFirst);
        isFirst = false;
        held = held.slice(piece.length);
      }
      if (ends && held !== "") next(held, true, true, isFirst);
    };
  };
}

function split(part: Part): Stage {
  const pattern = part.take("pattern") as { String?: unknown; Regex?: unknown } | undefined;
  const behavior = part.oneOf("behavior", behaviors, "Isolated");
  const invert = part.boolean("invert", false);
  if (typeof pattern?.String === "string" && pattern.String !== "") {
    const every = new RegExp(escapeRegex(pattern.String), "gu");
    return [...pattern.String].length === 1
      ? splittingAtCharacters(every, behavior, invert)
      : splittingAtWords(every, behavior, invert, false);
  }
  if (typeof pattern?.Regex !== "string") throw part.refuse("pattern", "a text or a regular expression", pattern);
  return splittingAtWords(compileRegex(pattern.Regex), behavior, invert, isKnownPattern(pattern.Regex));
}

const spaces = new RegExp(space, "gv");
const punctuationMarks = new RegExp(punctuation, "gv");
const bertPieces = new RegExp(`${punctuation}|[^${space}${punctuation}]+`, "gv");
/** Words of letters, marks, digits and underscores, and what is between them. */
const wordsOrOthers =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gv;

/**
 * Creates a pre-tokenizer of tokenizer.json.
 * @throws Error for one of another type or with options that are not obeyed.
 */
export function createPreTokenizer(part: Part): Stage {
  const create = (): Stage => {
    switch (part.type) {
      case "BertPreTokenizer":
        return splittingAtCharacters(bertPieces, "Removed", true);
      case "Whitespace":
        return splittingAtCharacters(wordsOrOthers, "Removed", true, true);
      case "WhitespaceSplit":
        return splittingAtCharacters(spaces, "Removed");
      case "Punctuation":
        return splittingAtCharacters(punctuationMarks, part.oneOf("behavior", behaviors, "Isolated"));
      case "Digits":
        return splittingAtCharacters(/\p{N}/gu, part.boolean("individual_digits", false) ? "Isolated" : "Contiguous");
      case "Split":
        return split(part);
      case "ByteLevel":
        return byteLevel(part);
      case "Metaspace":
        return metaspace(part);
      case "FixedLength":
        return fixedLength(part.wholeNumber("length"));
      case "Sequence":
        return chain(part.parts("pretokenizers").map(createPreTokenizer));
      default:
        throw part.unknownType();
    }
  };
  const stage = create();
  part.refuseOthers();
  return stage;
}

/** Splits a whole text into pieces. */
export function splitAll(stage: Stage, text: string): string[] {
  const pieces: string[] = [];
  const push: PushPart = (piece, starts) => {
    if (starts) pieces.push(piece);
    else pieces.push(`${pieces.pop() ?? ""}${piece}`);
  };
  if (text !== "") stage(push)(text, true, true, true);
  return pieces;
}
