import { decideOnnxFile, type OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";

export type PullDecision =
  | { readonly kind: "pull"; readonly paths: readonly string[]; readonly reason: string }
  | { readonly kind: "refuse"; readonly reason: string };

/** What describes a model, beside its weights; each where it is there. */
export const describingPaths: readonly string[] = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  "1_Pooling/config.json",
  "2_Dense/config.json",
  "2_Normalize/config.json",
  "manifest.json",
];

const required = ["tokenizer.json"];

/**
 * Which files of a repository a model needs: one ONNX file with the weights that lie beside it, its tokenizer, and what describes it. The
 * same model in other formats and precisions stays where it is.
 */
export function decidePullFiles(paths: readonly string[], choice: OnnxChoice): PullDecision {
  const onnxPaths = paths.filter((path) => /^(onnx\/)?[^/]+\.onnx$/i.test(path));
  if (onnxPaths.length === 0) {
    return {
      kind: "refuse",
      reason: "expected model.onnx or onnx/model*.onnx, got no ONNX file: look for an export of this model to ONNX",
    };
  }
  const absent = required.filter((path) => !paths.includes(path));
  if (absent.length > 0) {
    return { kind: "refuse", reason: `expected ${absent.join(", ")}, which the repository does not have` };
  }
  const decision = decideOnnxFile(
    onnxPaths.map((path) => ({ path })),
    choice,
  );
  if (decision.kind === "none") return { kind: "refuse", reason: decision.reason };
  const beside = decision.path.slice(0, decision.path.lastIndexOf("/") + 1);
  const weights = paths.filter(
    (path) =>
      (path.startsWith(decision.path) && !path.slice(decision.path.length).includes("/")) ||
      // Exporters put single tensors of models beyond 2 GB into files of their own, named after the tensor, without an ending.
      (beside !== "" && path.startsWith(beside) && /^([^./]+|[^/]+_value)$/.test(path.slice(beside.length))),
  );
  const moduleConfigs = paths.filter((path) => /^\d+_[A-Za-z]+\/config\.json$/.test(path));
  const describing = paths.filter((path) => describingPaths.includes(path));
  return {
    kind: "pull",
    // What is small comes first: a model that is none is known before its weights are there.
    paths: [...new Set([...describing, ...moduleConfigs, ...weights])],
    reason: decision.reason,
  };
}
