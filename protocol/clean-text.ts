import { unsafeCharacters } from "#platform/clean-text.ts";

/** Whoever shows a text may clean it again; here what has no place in one goes once and for all. */
const perhapsUnsafe = /\\[bfnrtu]|[^ -~]/;

/** A text in one line that acts on nothing: each character that would steer a terminal or can't be seen becomes a blank. */
export function cleanText(text: string): string {
  return text.replace(unsafeCharacters, " ");
}

/** Says whether a JSON text may hold strings that {@link cleanTexts} would change: in plain ASCII only escapes can. */
export function mayNeedCleaning(json: string): boolean {
  return perhapsUnsafe.test(json);
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
