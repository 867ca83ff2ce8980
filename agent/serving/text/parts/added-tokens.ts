import { space } from "./character-classes.ts";
import { escapeRegex } from "./patterns.ts";

/** A token beside the model's own, which is found in a text as it is: `[MASK]`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** It is searched for in the normalised text. */
  readonly normalized: boolean;
  /** It takes the white space before or after it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/**
 * Reads the added tokens of a tokenizer.json. As in the reference, one that the model's vocabulary has too gets the id it has there, and the
 * others are numbered in their order behind it, whatever ids the file states.
 * @throws Error for one with an option that is not obeyed.
 */
export function readAddedTokens(
  list: readonly Record<string, unknown>[],
  vocabulary: ReadonlyMap<string, number>,
): AddedToken[] {
  const ids = new Map<string, number>();
  let highest = -1;
  const idFor = (content: string): number => {
    const id = ids.get(content) ?? vocabulary.get(content) ?? Math.max(highest + 1, vocabulary.size);
    ids.set(content, id);
    highest = Math.max(highest, id);
    return id;
  };
  const tokens = list.map(({ id, content, single_word: single, special, normalized, lstrip, rstrip }, i) => {
    if (single === true)
      throw new Error(`added_tokens.${i}.single_word: expected false, got true, for ${JSON.stringify(content)}`);
    if (!(Number.isInteger(id) && (id as number) >= 0))
      throw new Error(`added_tokens.${i}.id: expected a whole number, got ${JSON.stringify(id)}`);
    if (typeof content !== "string")
      throw new Error(`added_tokens.${i}.content: expected a text, got ${JSON.stringify(content)}`);
    return {
      id: content === "" ? (id as number) : idFor(content),
      content,
      special: special === true,
      normalized: typeof normalized === "boolean" ? normalized : special !== true,
      lstrip: lstrip === true,
      rstrip: rstrip === true,
    };
  });
  // Of a token given twice the last one's options count.
  return [...new Map(tokens.map((token) => [token.content, token])).values()];
}

/** Takes what is between added tokens, part by part, and the tokens. */
export interface BetweenTokens {
  text(text: string, ends: boolean): void;
  token(id: number): void;
}

export type Divide = (text: string, ends: boolean) => void;

const leading = new RegExp(`^${space}+`, "v");
const trailing = new RegExp(`(?<!${space})${space}+$`, "v");

/** Finds added tokens in texts, the longest where several begin. */
export class TokenFinder {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  readonly #pattern: RegExp;
  readonly #beginnings: ReadonlySet<string>;
  readonly #maxUnits: number;
  readonly #takesSpaceBefore: boolean;

  /** @param tokens by their text, as it is searched for */
  constructor(tokens: ReadonlyMap<string, AddedToken>) {
    this.#tokens = tokens;
    const contents = [...tokens.keys()].sort((a, b) => b.length - a.length);
    const firsts = new Set(contents.map((content) => String.fromCodePoint(content.codePointAt(0) as number)));
    const oneOfFirsts = [...firsts].map(escapeRegex).join("|");
    this.#pattern = new RegExp(`(?=${oneOfFirsts})(?:${contents.map(escapeRegex).join("|")})`, "gu");
    this.#beginnings = new Set([...firsts].map((character) => character.charAt(0)));
    this.#maxUnits = contents[0]?.length ?? 0;
    this.#takesSpaceBefore = [...tokens.values()].some(({ lstrip }) => lstrip);
  }

  /** Starts a text. What may be the beginning of a token, or white space that one takes, is held back until more is known. */
  start(to: BetweenTokens): Divide {
    if (this.#tokens.size === 0) return (text, ends) => to.text(text, ends);
    let heldSpace = "";
    let held = "";
    let swallows = false;
    return (text, ends) => {
      const rest = held + text;
      let from = 0;
      const skipSpace = () => {
        if (!swallows) return;
        from += leading.exec(rest.slice(from))?.[0].length ?? 0;
        if (from < rest.length) swallows = false;
      };
      skipSpace();
      for (const { index, 0: match } of rest.matchAll(this.#pattern)) {
        const { id, lstrip, rstrip } = this.#tokens.get(match) as AddedToken;
        // A longer one may begin here, of which the end is still to come.
        if (!ends && index + this.#maxUnits > rest.length && this.#mayGoOn(rest.slice(index))) break;
        let before = rest.slice(from, index);
        if (lstrip) before = before.replace(trailing, "");
        to.text(lstrip && before === "" ? "" : heldSpace + before, true);
        to.token(id);
        heldSpace = "";
        from = index + match.length;
        swallows = rstrip;
        skipSpace();
      }
      const kept = ends ? rest.length : this.#keptFrom(rest, from);
      const given = rest.slice(from, kept);
      held = rest.slice(kept);
      const space = ends || !this.#takesSpaceBefore ? "" : (trailing.exec(given)?.[0] ?? "");
      if (space !== "" && space.length === given.length) {
        heldSpace += space;
        return;
      }
      if (ends || given !== "") {
        to.text(heldSpace + given.slice(0, given.length - space.length), ends);
        heldSpace = space;
      }
    };
  }

  /** True when a token begins with the text and is longer. */
  #mayGoOn(text: string): boolean {
    if (!this.#beginnings.has(text.charAt(0))) return false;
    for (const content of this.#tokens.keys())
      if (content.length > text.length && content.startsWith(text)) return true;
    return false;
  }

  /** Finds the place from which on a text may be the beginning of a token. */
  #keptFrom(text: string, from: number): number {
    for (let at = Math.max(from, text.length - this.#maxUnits); at < text.length; at += 1)
      if (this.#mayGoOn(text.slice(at))) return at;
    return text.length;
  }
}
