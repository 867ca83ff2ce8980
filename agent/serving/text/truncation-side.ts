/** End at which a text that is too long is cut. */
export type TruncationSide = "left" | "right";

/**
 * Reads the side at which a model's long texts are cut. Like the reference, it looks into tokenizer.json only where tokenizer_config.json says nothing.
 * @param definition the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json
 */
export function readTruncationSide(definition: object, config: object): TruncationSide {
  const { truncation } = definition as { readonly truncation?: { readonly direction?: unknown } | null };
  const { truncation_side: side = truncation?.direction } = config as { readonly truncation_side?: unknown };
  return String(side).toLowerCase() === "left" ? "left" : "right";
}

/** Keeps `count` items from the other end than the one that is cut. */
export function keptOf<Item>(items: readonly Item[], count: number, side: TruncationSide): readonly Item[] {
  if (items.length <= count) return items;
  return side === "left" ? items.slice(items.length - count) : items.slice(0, count);
}
