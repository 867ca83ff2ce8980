import { decideOnnxFile, type OnnxChoice, type OnnxFileDecision } from "#agent/serving/models/decide-onnx-file.ts";
import { describesModel } from "#agent/serving/models/describe-modules.ts";

export type PullDecision =
  | {
      readonly kind: "pull";
      readonly paths: readonly string[];
    }
  | { readonly kind: "refuse"; readonly rule: "no-onnx-file" }
  | { readonly kind: "refuse"; readonly rule: "missing-files"; readonly missing: readonly string[] }
  | { readonly kind: "refuse"; readonly rule: "no-fitting-onnx-file"; readonly onnx: OnnxFileDecision };

/** Files that describe a model, beside its weights; a repository has some of them. */
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
 * Chooses the files of a repository that a model needs: one ONNX file with the weights beside it, its tokenizer, and the files that describe
 * it. The same model in other formats and precisions is left out.
 */
export function decidePullFiles(paths: readonly string[], choice: OnnxChoice): PullDecision {
  const onnxPaths = paths.filter((path) => /^(onnx\/)?[^/]+\.onnx$/i.test(path));
  if (onnxPaths.length === 0) return { kind: "refuse", rule: "no-onnx-file" };
  const missing = required.filter((path) => !paths.includes(path));
  if (missing.length > 0) return { kind: "refuse", rule: "missing-files", missing };
  const onnx = decideOnnxFile(
    onnxPaths.map((path) => ({ path })),
    choice,
  );
  if (onnx.kind === "none") return { kind: "refuse", rule: "no-fitting-onnx-file", onnx };
  const beside = onnx.path.slice(0, onnx.path.lastIndexOf("/") + 1);
  const weights = paths.filter(
    (path) =>
      (path.startsWith(onnx.path) && !path.slice(onnx.path.length).includes("/")) ||
      // Exporters put single tensors of models beyond 2 GB into files named after the tensor, without an extension.
      (beside !== "" && path.startsWith(beside) && /^([^./]+|[^/]+_value)$/.test(path.slice(beside.length))),
  );
  const describing = paths.filter((path) => describingPaths.includes(path));
  const others = paths.filter(describesModel);
  return {
    kind: "pull",
    // Small files come first, so that a model that can't be served is refused before its weights are downloaded.
    paths: [...new Set([...describing, ...others, ...weights])],
  };
}
