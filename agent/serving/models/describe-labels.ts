import { UsageError } from "#platform/errors.ts";
import { isRecord, numberAt } from "./json-fields.ts";

export interface LabelsDescription {
  readonly count: number;
  /** The label that says that the second text is relevant to the first. */
  readonly relevant: number;
}

const relevantNames = /^(entailment|relevant|yes|true|positive|duplicate|paraphrase|equivalent|is_duplicate)$/i;
/** What transformers assumes where a configuration says nothing. */
const labelsUnlessSaid = 2;

/**
 * Whether a config.json is that of a cross-encoder, and which label is the score: the only one; the one whose name says so; of two
 * without such names, the second ("no" comes before "yes").
 * @throws UsageError for three or more labels of which none says it.
 */
export function describeLabels(config: unknown): LabelsDescription | null {
  if (!isRecord(config)) return null;
  const architectures = Array.isArray(config["architectures"]) ? config["architectures"].map(String) : [];
  if (!architectures.some((name) => name.endsWith("ForSequenceClassification"))) return null;
  const names = isRecord(config["id2label"]) ? config["id2label"] : {};
  const named = Object.keys(names).length;
  const count = named > 0 ? named : (numberAt(config, "num_labels") ?? labelsUnlessSaid);
  const byName = Object.entries(names).find(([, name]) => relevantNames.test(String(name)))?.[0];
  if (byName !== undefined) return { count, relevant: Number(byName) };
  if (count <= 2) return { count, relevant: count - 1 };
  throw new UsageError(
    `config.json: expected one label, two, or one that is called "entailment" or "relevant", got ${count}: ` +
      `${Object.values(names).join(", ")}. A manifest.json with relevantLabel can say which one is the score`,
  );
}
