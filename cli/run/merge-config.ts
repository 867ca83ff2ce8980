type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Merges `override` over `base`, key by key; undefined values leave `base` as it is. Returns a base that is not an object unchanged. */
export function mergeConfig(base: unknown, override: Json): unknown {
  if (!isObject(base)) return base;
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(override)) {
    if (value === undefined) continue;
    if (!isObject(value)) {
      merged[key] = value;
      continue;
    }
    const inner = mergeConfig(merged[key] ?? {}, value);
    if (key in merged || Object.keys(inner as Json).length > 0) merged[key] = inner;
  }
  return merged;
}

/** Merges `given` over `defaults`, key by key, empty sections included. Returns `given` unchanged where it is not an object. */
export function overDefaults(defaults: Json, given: unknown): unknown {
  if (!isObject(given)) return given;
  const merged: Json = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const base = merged[key];
    merged[key] = isObject(base) ? overDefaults(base, value) : value;
  }
  return merged;
}
