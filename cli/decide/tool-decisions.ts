import { Type } from "@sinclair/typebox";
import { decidePullFiles } from "#agent/serving/models/pull/decide-pull-files.ts";
import { explainPullFiles } from "#agent/serving/models/pull/explain-pull-files.ts";
import { decideMemoryTrend } from "#tools/load/decide-memory-trend.ts";
import { type DecisionEntry, decisionEntry, explained } from "./decision-entry.ts";
import { OnnxChoiceInput } from "./onnx-choice-input.ts";

const strict = { additionalProperties: false } as const;
const Amount = Type.Number({ minimum: 0 });

/** Decisions of the program's tools. */
export const toolDecisions: Readonly<Record<string, DecisionEntry>> = {
  "memory-trend": decisionEntry(
    "whether memory stayed flat under load",
    Type.Object({ samples: Type.Array(Type.Object({ elapsedMs: Amount, rssBytes: Amount }, strict)) }, strict),
    ({ samples }) => decideMemoryTrend(samples),
  ),
  "pull-files": decisionEntry(
    "which files of a repository a model needs",
    Type.Object(
      {
        paths: Type.Array(Type.String({ minLength: 1 })),
        choice: OnnxChoiceInput,
      },
      strict,
    ),
    explained(({ paths, choice }) => decidePullFiles(paths, choice), explainPullFiles),
  ),
};
