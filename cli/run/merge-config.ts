type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `override` over `base`, key by key; what is undefined in `override` leaves `base` as it is. A base that is no object is returned as it came. */
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

/** `given` over `defaults`, key by key, its empty sections too. What is given and no object is returned as it came. */
export function overDefaults(defaults: Json, given: unknown): unknown {
  if (!isObject(given)) return given;
  const merged: Json = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const base = merged[key];
    merged[key] = isObject(base) ? overDefaults(base, value) : value;
  }
  return merged;
}
