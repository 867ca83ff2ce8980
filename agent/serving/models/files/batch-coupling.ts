/** Reason that a model's vector of a text may depend on the other texts of its batch. */
export type BatchCoupling =
  | { readonly kind: "operators"; readonly operators: readonly string[] }
  /** A text's vector in a batch, compared with the one by itself. */
  | { readonly kind: "measured"; readonly cosine: number }
  | { readonly kind: "no-batches"; readonly reason: string };

/** Operators that scale numbers by the extremes of the whole batch, padding included. */
const coupling = ["DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"];

/** Lists the operators through which one text of a batch changes another's vector. */
export function couplingOperators(operators: ReadonlySet<string>): string[] {
  return coupling.filter((name) => operators.has(name));
}

/** Note for people: what couples the texts, and what is done about it. */
export function explainBatchCoupling(found: BatchCoupling): string {
  const remedy = "so each text is computed by itself, which is slower";
  switch (found.kind) {
    case "operators":
      return `numbers are quantised by the extremes of a whole batch (${found.operators.join(", ")}): a text's vector would depend on the other texts in its batch, ${remedy}`;
    case "measured":
      return `a text's vector depends on the other texts in its batch (cosine ${found.cosine.toFixed(5)} with the one computed alone), ${remedy}`;
    case "no-batches":
      return `several texts can't be computed at once (${found.reason}), ${remedy}`;
    default:
      return found satisfies never;
  }
}
