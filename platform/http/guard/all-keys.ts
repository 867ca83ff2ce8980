import type { IssuedKeys } from "./authenticate.ts";

/** Joins several kinds of keys. */
export function allKeys(kinds: readonly IssuedKeys[]): IssuedKeys {
  return {
    get required() {
      return kinds.some((kind) => kind.required);
    },
    identify: (key) =>
      kinds.reduce<ReturnType<IssuedKeys["identify"]>>((found, kind) => found ?? kind.identify(key), null),
    prepare: (key) => kinds.reduce<Promise<void> | null>((wait, kind) => wait ?? kind.prepare?.(key) ?? null, null),
  };
}
