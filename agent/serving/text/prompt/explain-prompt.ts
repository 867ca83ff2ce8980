import { kindsOf, type PromptDecision, type Prompts } from "./decide-prompt.ts";

const listed = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));

/** Explains to a client why its request for a prompt is refused: the field, what was expected, what came. */
export function explainPrompt(
  { rule, field, got }: Extract<PromptDecision, { kind: "refused" }>,
  id: string,
  model: Prompts,
): string {
  const names = Object.keys(model.prompts).map((name) => JSON.stringify(name));
  const shown = JSON.stringify(got.slice(0, 100));
  switch (rule) {
    case "unknown-prompt":
      return `${field}: expected ${names.length === 0 ? `none, as ${id} has no prompts` : `one of ${listed(names)}`}, got ${shown}`;
    case "unknown-kind":
      return `${field}: expected a kind of text (${listed(kindsOf(model))}), got ${shown}`;
    case "no-prompt-of-kind":
      return `${field}: expected a kind for which ${id} has a prompt (${listed(kindsOf(model))}), got ${shown}; its prompts by name are ${listed(names)}`;
    case "contradiction":
      return `${field}: expected the same prompt as in the request's other fields, got ${shown}`;
    default:
      return rule satisfies never;
  }
}
