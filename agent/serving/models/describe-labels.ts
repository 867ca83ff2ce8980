import { UsageError } from "#platform/errors.ts";
import { isRecord, numberAt } from "./json-fields.ts";

const relevantNames = /^(entailment|relevant|yes|true|positive|duplicate|paraphrase|equivalent|is_duplicate)$/i;
/** Number that transformers assumes when a configuration has none. */
const defaultLabels = 2;

/**
 * Reads the labels of a cross-encoder from its config.json; null for other models. The score is the only label, or the one whose name
 * says so, or the second of two without such names ("no" comes before "yes").
 * @returns the number of labels, and the index of the one that means that the second text is relevant to the first
 * @throws UsageError for three or more labels without such a name.
 */
export function describeLabels(config: unknown): { readonly count: number; readonly relevant: number } | null {
  if (!isRecord(config)) return null;
  const architectures = Array.isArray(config["architectures"]) ? config["architectures"].map(String) : [];
  if (!architectures.some((name) => name.endsWith("ForSequenceClassification"))) return null;
  const names = isRecord(config["id2label"]) ? config["id2label"] : {};
  const named = Object.keys(names).length;
  const count = named > 0 ? named : (numberAt(config, "num_labels") ?? defaultLabels);
  const byName = Object.entries(names).find(([, name]) => relevantNames.test(String(name)))?.[0];
  if (byName !== undefined) return { count, relevant: Number(byName) };
  if (count <= 2) return { count, relevant: count - 1 };
  throw new UsageError(
    `config.json: expected one or two labels, or one called "entailment" or "relevant", got ${count}: ` +
      `${Object.values(names).join(", ")}. A manifest.json with relevantLabel can say which one is the score`,
  );
}
