import { UsageError } from "#platform/errors.ts";

/**
 * Refuses a model whose long texts are cut at their beginning, because here they are cut at their end.
 * @param definition the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json
 */
export function refuseLeftTruncation(definition: object, config: object): void {
  const { truncation } = definition as { readonly truncation?: { readonly direction?: unknown } | null };
  const { truncation_side: side } = config as { readonly truncation_side?: unknown };
  const refuse = (place: string) =>
    new UsageError(`${place}: expected right, got left: long texts are cut at their end here`);
  if (String(side).toLowerCase() === "left") throw refuse("tokenizer_config.json: truncation_side");
  if (side === undefined && String(truncation?.direction).toLowerCase() === "left")
    throw refuse("tokenizer.json: truncation.direction");
}
