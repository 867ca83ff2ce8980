/**
 * Characters that act on a terminal, a log line or the order of a text instead of being shown: control characters, line separators,
 * and marks that change the writing direction.
 */
const unseen = "\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069";
const unseenCharacters = new RegExp(`[${unseen}]`, "g");
/** In JSON the ASCII ones can only come as escapes. */
const perhapsUnseen = /\\[bfnrtu]|[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** A text in one line that acts on nothing: each of its unseen characters becomes a blank, half a surrogate pair U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(unseenCharacters, " ");
}

/** Whether a JSON text may hold strings that {@link cleanTexts} would change. */
export function mayNeedCleaning(json: string): boolean {
  return perhapsUnseen.test(json);
}

/** A parsed JSON value with all its texts and names cleaned; without recursion, as foreign values may be nested deeply. */
export function cleanTexts(value: unknown): unknown {
  const holder: { root: unknown } = { root: value };
  const pending: object[] = [holder];
  for (let each = pending.pop(); each !== undefined; each = pending.pop()) {
    const container = each as Record<string, unknown>;
    for (const [name, inner] of Object.entries(container)) {
      const cleanName = Array.isArray(container) ? name : cleanText(name);
      if (cleanName !== name) delete container[name];
      const cleaned = typeof inner === "string" ? cleanText(inner) : inner;
      if (cleanName !== name || cleaned !== inner) {
        Object.defineProperty(container, cleanName, {
          value: cleaned,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      if (typeof inner === "object" && inner !== null) pending.push(inner);
    }
  }
  return holder.root;
}
