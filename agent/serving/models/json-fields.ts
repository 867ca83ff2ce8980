export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns a finite number of an object; undefined when the field, or the object, is anything else. */
export function numberAt(json: unknown, key: string): number | undefined {
  const value = isRecord(json) ? json[key] : undefined;
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Returns a text of an object; undefined when the field, or the object, is anything else. */
export function stringAt(json: unknown, key: string): string | undefined {
  const value = isRecord(json) ? json[key] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** Returns an object of texts; values of other types are left out. */
export function textsAt(json: unknown, key: string): Record<string, string> {
  const value = isRecord(json) ? json[key] : undefined;
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
