import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { ServiceError } from "#platform/errors.ts";

/**
 * Puts one of the model's prompts before each text: the one that the request names, or the model's default. Token ids stay as they are, as
 * their client has already done what comes before tokenising.
 * @throws ServiceError INVALID_REQUEST for a prompt that the model doesn't have, or one asked for with token ids.
 */
export function applyPrompt<Input>(
  { id, prompts, defaultPrompt }: Pick<ModelManifest, "id" | "prompts" | "defaultPrompt">,
  promptName: string | undefined,
  inputs: readonly Input[],
): readonly Input[] {
  const refuse = (expected: string, got: string) => {
    const message = `prompt_name: expected ${expected}, got ${got}`;
    return new ServiceError("INVALID_REQUEST", message, { details: { param: "prompt_name" } });
  };
  const name = promptName ?? defaultPrompt;
  if (name === null) return inputs;
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (prompt === undefined) {
    const names = Object.keys(prompts).map((each) => `"${each}"`);
    throw refuse(names.length === 0 ? `none, as ${id} has no prompts` : `one of ${names.join(", ")}`, `"${name}"`);
  }
  if (promptName !== undefined && inputs.some((input) => typeof input !== "string"))
    throw refuse("none with token ids", `"${name}"`);
  return prompt === ""
    ? inputs
    : inputs.map((input) => (typeof input === "string" ? (`${prompt}${input}` as Input) : input));
}
