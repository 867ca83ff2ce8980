import { maskUnassigned } from "./patterns.ts";

/**
 * Takes a piece of text, or one part of it after another.
 * @param starts true for a piece's first part
 * @param ends true for its last part, which may be empty
 * @param first true for a piece at the beginning of the whole text
 */
export type PushPart = (text: string, starts: boolean, ends: boolean, first: boolean) => void;

/** Splits pieces further, for a text that starts, and hands the results on. */
export type Stage = (next: PushPart) => PushPart;

export const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof behaviors)[number];

interface Span {
  readonly start: number;
  readonly end: number;
  readonly matches: boolean;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Divides a text into what the pattern matches and what is between. */
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

function merge(spans: readonly Span[], behavior: Behavior): readonly Range[] {
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

function lastCharacter(text: string): string {
  const code = text.codePointAt(text.length - 2) ?? 0;
  return text.slice(code > 0xffff ? -2 : -1);
}

/** Hands on ranges of a text that follows `context` characters of the piece's earlier parts. */
function hand(
  text: string,
  ranges: readonly Range[],
  { context, ends, first }: { readonly context: number; readonly ends: boolean; readonly first: boolean },
  next: PushPart,
): void {
  for (const { start, end } of ranges) {
    const open = end === text.length && !ends;
    if (start >= context) next(text.slice(start, end), true, !open, first && start === 0);
    else next(text.slice(context, end), false, !open, false);
  }
}

/**
 * Splits at characters, each of which the pattern matches by itself or together with those beside it that it matches too: a place between two
 * characters is a cut or none whatever else is around.
 */
export function splittingAtCharacters(pattern: RegExp, behavior: Behavior, invert = false, masks = false): Stage {
  const rangesOf = (text: string) => merge(spansOf(masks ? maskUnassigned(text) : text, pattern, invert), behavior);
  return (next) => {
    let context = "";
    return (text, starts, ends, first) => {
      if (starts) context = "";
      if (text !== "" || ends) {
        const whole = context + text;
        hand(whole, rangesOf(whole), { context: context.length, ends, first }, next);
      }
      if (text !== "") context = lastCharacter(text);
    };
  };
}

/** Characters at the end of a part that are held back: a published expression looks no farther ahead than this, white space excepted. */
const lookahead = 64;
/** Characters that an expression sees at once. */
export const maxHeld = 4_096;
const isSpace = /[\s\u0085]/;
const classes = [/^\p{L}+$/u, /^\p{N}+$/u, /^[\r\n]+$/, /^[^\S\r\n]+$/, /^[^\s\p{L}\p{N}']+$/u];

/** Finds where a match that is longer than what is held can be cut: within letters, digits, blanks or others, where nothing after changes it. */
function cutIn(text: string, match: Range): number {
  const from = text.length - lookahead - 4;
  if (match.start > 4 || match.end < text.length - lookahead) return -1;
  const around = text.slice(from, text.length);
  const found = classes.findIndex((each) => each.test(around));
  if (found < 0) return -1;
  const matched = text.slice(match.start);
  // A line break later on would divide blanks after a line break, but not line breaks after blanks.
  if (found === 3 && /[\r\n]/.test(matched)) return -1;
  if (found === 2 && !/^\s/.test(matched)) return -1;
  const code = text.charCodeAt(from + 4);
  return code >= 0xdc00 && code <= 0xdfff ? from + 5 : from + 4;
}

/** A text has a word that is too long for the model's own regular expression. */
export class LongWord extends Error {
  constructor() {
    super(
      `expected words of at most ${maxHeld - lookahead} characters for this model, whose tokenizer.json has its own expression, got a longer one`,
    );
  }
}

/**
 * Splits at what a regular expression of words matches, part by part: what is near a part's end waits for the next.
 * @param known true for an expression of published model families, which may match without end
 */
export function splittingAtWords(pattern: RegExp, behavior: Behavior, invert: boolean, known: boolean): Stage {
  const rangesOf = (text: string) => merge(spansOf(maskUnassigned(text), pattern, invert), behavior);
  const merges = behavior !== "Isolated" && behavior !== "Removed";
  return (next) => {
    let held = "";
    let context = 0;
    let isFirst = false;
    let tryAt = 0;
    return (text, starts, ends, first) => {
      if (starts) {
        held = "";
        context = 0;
        isFirst = first;
        tryAt = 0;
      }
      held += text;
      if (!ends && held.length < Math.max(tryAt, 2 * lookahead)) return;
      const ranges = rangesOf(held);
      if (ends) {
        hand(held, ranges, { context, ends: true, first: isFirst }, next);
        held = "";
        return;
      }
      // What follows may change a match that reaches to the held end, and white space before it.
      let sure = held.length - lookahead;
      while (sure > 0 && isSpace.test(held.charAt(sure - 1))) sure -= 1;
      const done = ranges.findLastIndex(({ end }) => end <= sure);
      // A token that may merge with what follows is held back.
      const final = merges ? Math.max(done, 0) : done + 1;
      if (final > 0) {
        const start = merges ? (ranges[done] as Range).start : (ranges[done] as Range).end;
        hand(held.slice(0, start), ranges.slice(0, final), { context, ends: true, first: isFirst }, next);
        held = held.slice(start);
        context = 0;
        isFirst = false;
        tryAt = 0;
        return;
      }
      if (held.length < maxHeld) return;
      const cut = known && ranges.length > 0 ? cutIn(maskUnassigned(held), ranges[0] as Range) : -1;
      if (cut > 0) {
        const at = lastCharacter(held.slice(0, cut)).length;
        hand(held.slice(0, cut), [{ start: 0, end: cut }], { context, ends: false, first: isFirst }, next);
        held = held.slice(cut - at);
        context = at;
        isFirst = false;
        tryAt = 0;
      } else if (known) tryAt = held.length * 2;
      else throw new LongWord();
    };
  };
}
