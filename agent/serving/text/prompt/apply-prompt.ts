import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { ServiceError } from "#platform/errors.ts";
import { decidePrompt, type PromptWish } from "./decide-prompt.ts";
import { explainPrompt } from "./explain-prompt.ts";

export interface PromptedInputs<Input> {
  readonly inputs: readonly Input[];
  /** Name of the prompt before the texts, null where it is none; undefined where the request says nothing of its texts' kind. */
  readonly prompt?: string | null;
}

/**
 * Puts one of the model's prompts before each text: the one that the request asks for, or the model's default. Token ids stay as they are, as
 * their client has already done what comes before tokenising.
 * @throws ServiceError INVALID_REQUEST for a prompt that the model doesn't have, or one asked for with token ids.
 */
export function applyPrompt<Input>(
  model: Pick<ModelManifest, "id" | "prompts" | "defaultPrompt">,
  wish: PromptWish,
  inputs: readonly Input[],
): PromptedInputs<Input> {
  // The usual case: neither the request nor the model names one.
  const { promptName, textKinds = [] } = wish;
  if (promptName === undefined && textKinds.length === 0 && model.defaultPrompt === null) return { inputs };
  const refuse = (param: string, message: string) =>
    new ServiceError("INVALID_REQUEST", message, { details: { param } });
  const decision = decidePrompt(model, wish);
  if (decision.kind === "refused") throw refuse(decision.field, explainPrompt(decision, model.id, model));
  const said = wish.textKinds === undefined || wish.textKinds.length === 0 ? {} : { prompt: null };
  if (decision.kind === "plain") return { inputs, ...said };
  const { field, name, text } = decision;
  const named = said.prompt === undefined ? {} : { prompt: name };
  if (text === "") return { inputs, ...named };
  if (field !== null && inputs.some((input) => typeof input !== "string"))
    throw refuse(field, `${field}: expected none with token ids, got the prompt ${JSON.stringify(name)}`);
  return {
    inputs: inputs.map((input) => (typeof input === "string" ? (`${text}${input}` as Input) : input)),
    ...named,
  };
}
