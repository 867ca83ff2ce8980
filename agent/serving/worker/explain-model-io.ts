import { feedableInputs, type ModelIo, type TensorDescription } from "./decide-model-io.ts";

const namesOf = (tensors: readonly TensorDescription[]) => tensors.map(({ name }) => name).join(", ") || "none";
const tensorsToText = (tensors: readonly TensorDescription[]) =>
  tensors.map(({ name, type, shape }) => `${name} ${type} [${shape.join(", ")}]`).join("; ") || "none";

export function explainModelIo(io: Extract<ModelIo, { kind: "unusable" }>): string {
  switch (io.rule) {
    case "unknown-inputs":
      return `expected no inputs but ${feedableInputs.join(", ")}, got ${namesOf(io.inputs)}`;
    case "generates-text":
      return (
        `expected no inputs but ${feedableInputs.join(", ")}, got ${namesOf(io.inputs)}: ` +
        "this is an export for generating text; use one that outputs last_hidden_state"
      );
    case "no-token-ids":
      return `expected the input input_ids, got ${namesOf(io.inputs)}`;
    case "no-whole-numbers":
      return `expected whole numbers as input ${namesOf(io.inputs)}, got ${io.inputs.map(({ type }) => type).join(", ")}`;
    case "no-vectors":
      return `expected an output of token or text vectors, got ${tensorsToText(io.outputs)}`;
    case "no-text-vectors":
      return `expected an output of ${io.dimension} numbers for each text, got ${tensorsToText(io.outputs)}`;
    case "another-dimension":
      return `expected vectors of ${io.dimension} numbers, got ${tensorsToText(io.outputs)}`;
  }
}
