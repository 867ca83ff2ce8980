import type { OnnxFileDecision } from "./decide-onnx-file.ts";

const reasons = {
  configured: "as configured",
  "only-file": "the only file",
  "best-for-gpu": "the best one for a GPU",
  "most-exact": "the most accurate one",
} as const;

export function explainOnnxFile(decision: OnnxFileDecision): string {
  if (decision.kind === "take") return `${decision.path} (${decision.precision}): ${reasons[decision.rule]}`;
  const { choice, present } = decision;
  const got = present.map(({ path, precision, architecture }) => `${path} (${precision}, ${architecture})`).join(", ");
  return `expected an ONNX file of precision ${choice.precision} for ${choice.architecture}, got ${got || "none"}`;
}
