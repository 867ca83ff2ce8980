import { Type } from "@sinclair/typebox";
import { Precision } from "#agent/serving/model-manifest.ts";
import { decideMemoryTrend } from "../load/decide-memory-trend.ts";
import { decidePullFiles } from "../models/decide-pull-files.ts";
import { type DecisionEntry, decisionEntry } from "./decision-entry.ts";

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
        choice: Type.Object(
          {
            precision: Type.Union([...Precision.anyOf, Type.Literal("auto")], { default: "auto" }),
            architecture: Type.String({ default: "arm64" }),
            gpu: Type.Boolean({ default: false }),
          },
          { ...strict, default: {} },
        ),
      },
      strict,
    ),
    ({ paths, choice }) => decidePullFiles(paths, choice),
  ),
};
