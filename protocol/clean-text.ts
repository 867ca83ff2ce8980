import { unsafeCharacters } from "#platform/clean-text.ts";

/** Escapes and characters beyond plain ASCII, in JSON. */
const perhapsUnsafe = /\\[bfnrtu]|[^ -~]/;

/** Returns a text in one line without control characters: each one, and each invisible one, becomes a blank. */
export function cleanText(text: string): string {
  return text.replace(unsafeCharacters, " ");
}

/** Returns true when a JSON text may hold strings that {@link cleanTexts} would change: in plain ASCII only escapes can. */
export function mayNeedCleaning(json: string): boolean {
  return perhapsUnsafe.test(json);
}

/** Cleans all texts and names of a parsed JSON value in place; without recursion, as foreign values may be nested deeply. */
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
