/** A regular expression that a tokenizer runs on texts. */
export interface TokenizerPattern {
  /** Place in tokenizer.json, e.g. `pre_tokenizer.pretokenizers.0.pattern.Regex`. */
  readonly place: string;
  readonly pattern: string;
}

/** Bounds of a tokenizer's definition. */
const maxDepth = 32;
const maxParts = 64;
const maxPatternCharacters = 4_000;
/** Maximum growth of a text by insertions. */
const maxGrowth = 64;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** Parts of tokenizer.json that turn texts into tokens and back. */
const stages = ["normalizer", "pre_tokenizer", "post_processor", "decoder"] as const;

/** Maximum factor by which a part makes a text longer. */
function growthOf({ type, content, prepend, pattern }: Record<string, unknown>): number {
  if (type === "Prepend") return typeof prepend === "string" ? 1 + prepend.length / 64 : 1;
  if (type !== "Replace" || typeof content !== "string") return 1;
  const replaced =
    isObject(pattern) && typeof pattern["String"] === "string" ? Math.max(1, pattern["String"].length) : 1;
  return Math.max(1, content.length / replaced);
}

/**
 * Lists the regular expressions of a tokenizer.json.
 * @throws Error with the place of the part that exceeds a bound.
 */
export function patternsOf(definition: object): TokenizerPattern[] {
  const found: TokenizerPattern[] = [];
  let parts = 0;
  let growth = 1;
  const walk = (value: unknown, place: string, depth: number): void => {
    if (!isObject(value)) return;
    if (depth > maxDepth) throw new Error(`${place}: expected parts at most ${maxDepth} deep`);
    if (typeof value["type"] === "string") {
      parts += 1;
      growth *= growthOf(value);
      if (parts > maxParts) throw new Error(`${place}: expected at most ${maxParts} parts, got more`);
      if (growth > maxGrowth) throw new Error(`${place}: it makes a text more than ${maxGrowth} times as long`);
    }
    const { pattern } = value;
    if (isObject(pattern) && typeof pattern["Regex"] === "string") {
      const regex = pattern["Regex"];
      if (regex.length > maxPatternCharacters) {
        throw new Error(
          `${place}.pattern.Regex: expected at most ${maxPatternCharacters} characters, got ${regex.length}`,
        );
      }
      found.push({ place: `${place}.pattern.Regex`, pattern: regex });
    }
    for (const [name, inner] of Object.entries(value)) {
      if (isObject(inner) && name !== "pattern" && name !== "special_tokens")
        walk(inner, `${place}.${name}`, depth + 1);
    }
  };
  for (const stage of stages) walk((definition as Record<string, unknown>)[stage], stage, 0);
  return found;
}

const words = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const rest = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

/** Patterns of published model families, which take linear time. */
const knownPatterns: ReadonlySet<string> = new Set([
  `${endings}|${words}|\\p{N}{1,3}|${rest}`,
  `${endings}|${words}|\\p{N}|${rest}`,
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  " {2,}",
  "\\s+",
]);

export const isKnownPattern = (pattern: string): boolean => knownPatterns.has(pattern);

/** Characters that occur in ordinary texts. */
const usualCharacters = ["a", "Z", "0", " ", "\n", "\t", ".", "-", "_", "'", "!", "é", "机", "\u0301", "🤖", "\u0000"];
const syntax = new Set([..."\\^$.*+?()[]{}|/"]);
const maxLetters = 40;
const maxPaired = 16;
const maxWords = 8;

/**
 * Generates texts on which a slow regular expression shows it: its own characters and words repeated, between a prefix and an ending that does
 * not match.
 * @param length approximate length of each
 */
export function* provokingTexts(pattern: string, length: number): Generator<string> {
  const own = [...new Set(pattern)].filter((character) => !syntax.has(character));
  const letters = [...new Set([...own, ...usualCharacters])].slice(0, maxLetters);
  const literals = [...new Set(pattern.match(/[^\\^$.*+?()[\]{}|\s]{2,16}/gu) ?? [])].slice(0, maxWords);
  // Without the letter of an escape.
  const unescaped = literals
    .map((literal) => literal.replace(/^[pPsSdDwWnrtbu]/, ""))
    .filter((literal) => literal !== "");
  const paired = letters.slice(0, maxPaired);
  const ends = ["", "!", "\n", "\u0000", "a1"];
  const repeat = (unit: string) => unit.repeat(Math.max(1, Math.floor(length / unit.length)));
  for (const unit of [...letters, ...literals, ...unescaped]) {
    for (const beginning of ["", ...unescaped.slice(0, 4), "x"])
      for (const end of ends) yield beginning + repeat(unit) + end;
  }
  for (const first of paired) {
    for (const second of paired) if (first !== second) for (const end of ends) yield repeat(first + second) + end;
  }
}
