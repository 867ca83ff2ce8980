import { Type } from "@sinclair/typebox";
import { Precision } from "#agent/serving/models/model-manifest.ts";

/** What is wanted of an ONNX file, and where it will run; a Jetson unless told otherwise. */
export const OnnxChoiceInput = Type.Object(
  {
    precision: Type.Union([...Precision.anyOf, Type.Literal("auto")], { default: "auto" }),
    architecture: Type.String({ default: "arm64" }),
    gpu: Type.Boolean({ default: false }),
  },
  { additionalProperties: false, default: {} },
);
