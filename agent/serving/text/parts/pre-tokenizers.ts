import { punctuation, space } from "./character-classes.ts";
import type { Part } from "./part.ts";
import { compilePattern, compileRegex, escapeRegex, maskUnassigned } from "./patterns.ts";

/**
 * Splits a text into pieces, which become tokens each by itself.
 * @param first true for the text's beginning
 */
export type PreTokenize = (text: string, first: boolean) => string[];

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
type Behavior = (typeof behaviors)[number];

interface Span {
  readonly start: number;
  end: number;
  readonly matches: boolean;
}

/**
 * Divides a text into what the pattern matches and what is between.
 * @param text as the pattern sees it
 */
function spansOf(text: string, pattern: RegExp, invert: boolean): Span[] {
  const spans: Span[] = [];
  let from = 0;
  const add = (end: number, matches: boolean) => {
    if (end > from) spans.push({ start: from, end, matches: matches !== invert });
    from = end;
  };
  for (const { index, 0: match } of text.matchAll(pattern)) {
    add(index, false);
    add(index + match.length, true);
  }
  add(text.length, false);
  return spans;
}

function merge(
  spans: readonly Span[],
  behavior: Behavior,
): readonly { readonly start: number; readonly end: number }[] {
  if (behavior === "Removed") return spans.filter(({ matches }) => !matches);
  if (behavior === "Isolated") return spans;
  const merged: { start: number; end: number }[] = [];
  const ordered = behavior === "MergedWithNext" ? spans.toReversed() : spans;
  let before: boolean | undefined = behavior === "Contiguous" ? undefined : false;
  for (const { start, end, matches } of ordered) {
    const last = merged.at(-1);
    const joins = behavior === "Contiguous" ? matches === before : matches && before === false;
    if (last !== undefined && joins) {
      last.start = Math.min(last.start, start);
      last.end = Math.max(last.end, end);
    } else merged.push({ start, end });
    before = matches;
  }
  return behavior === "MergedWithNext" ? merged.reverse() : merged;
}

/** Splits at characters of a class. */
function splittingAt(characters: RegExp, behavior: Behavior): PreTokenize {
  return (text) => merge(spansOf(text, characters, false), behavior).map(({ start, end }) => text.slice(start, end));
}

/** Splits at what a regular expression matches. */
function splitting(pattern: RegExp, behavior: Behavior, invert = false): PreTokenize {
  return (text) => {
    const spans = spansOf(maskUnassigned(text), pattern, invert);
    return merge(spans, behavior).map(({ start, end }) => text.slice(start, end));
  };
}

/** Names of the 256 bytes: printable characters of Latin-1 are themselves. */
const byteNames = (() => {
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : other++);
  });
})();

const words = compileRegex("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");

function byteLevel(part: Part): PreTokenize {
  const addsSpace = part.boolean("add_prefix_space", true);
  const split = part.boolean("use_regex", true) ? splitting(words, "Isolated") : (text: string) => [text];
  part.take("trim_offsets"); // only of places in the text
  return (text, first) =>
    split(addsSpace && !text.startsWith(" ") ? ` ${text}` : text, first).map((piece) => {
      let named = "";
      for (const byte of Buffer.from(piece)) named += byteNames[byte];
      return named;
    });
}

function metaspace(part: Part): PreTokenize {
  const mark = part.text("replacement", "▁");
  const legacyPrefix = part.boolean("add_prefix_space", true);
  const scheme = part.oneOf("prepend_scheme", ["always", "first", "never"], legacyPrefix ? "always" : "never");
  part.take("str_rep"); // of older files, the same as `replacement`
  const isSplit = part.boolean("split", true);
  const beforeMark = splittingAt(new RegExp(escapeRegex(mark), "gu"), "MergedWithNext");
  return (text, first) => {
    const marked = text.replaceAll(" ", mark);
    const prepends = (scheme === "always" || (scheme === "first" && first)) && !marked.startsWith(mark);
    const whole = prepends ? mark + marked : marked;
    return isSplit ? beforeMark(whole, first) : [whole];
  };
}

function sequence(steps: readonly PreTokenize[]): PreTokenize {
  return (text, first) =>
    steps.reduce((pieces, step) => pieces.flatMap((piece, i) => step(piece, first && i === 0)), [text]);
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
export function createPreTokenizer(part: Part): PreTokenize {
  const create = (): PreTokenize => {
    switch (part.type) {
      case "BertPreTokenizer":
        return (text) => text.match(bertPieces) ?? [];
      case "Whitespace":
        return splitting(wordsOrOthers, "Removed", true);
      case "WhitespaceSplit":
        return splittingAt(spaces, "Removed");
      case "Punctuation":
        return splittingAt(punctuationMarks, part.oneOf("behavior", behaviors, "Isolated"));
      case "Digits":
        return splittingAt(/\p{N}/gu, part.boolean("individual_digits", false) ? "Isolated" : "Contiguous");
      case "Split":
        return splitting(
          compilePattern(part),
          part.oneOf("behavior", behaviors, "Isolated"),
          part.boolean("invert", false),
        );
      case "ByteLevel":
        return byteLevel(part);
      case "Metaspace":
        return metaspace(part);
      case "FixedLength":
        return splittingAt(new RegExp(`[\\s\\S]{1,${part.wholeNumber("length")}}`, "gu"), "Isolated");
      case "Sequence":
        return sequence(part.parts("pretokenizers").map(createPreTokenizer));
      default:
        throw part.unknownType();
    }
  };
  const preTokenize = create();
  part.refuseOthers();
  return preTokenize;
}
