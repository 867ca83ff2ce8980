import { explainOnnxFile } from "#agent/serving/models/explain-onnx-file.ts";
import type { PullDecision } from "./decide-pull-files.ts";

export function explainPullFiles(decision: Extract<PullDecision, { kind: "refuse" }>): string {
  switch (decision.rule) {
    case "no-onnx-file":
      return "expected model.onnx or onnx/model*.onnx, got no ONNX file: look for an export of this model to ONNX";
    case "missing-files":
      return `expected ${decision.missing.join(", ")}, which the repository does not have`;
    case "no-fitting-onnx-file":
      return explainOnnxFile(decision.onnx);
  }
}
