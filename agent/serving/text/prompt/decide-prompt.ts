import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { kindNamed, leavesKindOpen, plainName, type SaidKind, textKinds } from "./text-kinds.ts";

/** A model's prompts. */
export type Prompts = Pick<ModelManifest, "prompts" | "defaultPrompt">;

/** Wishes of a request about the prompt. */
export interface PromptWish {
  /** Name of a prompt; undefined: none is named. */
  readonly promptName?: string | undefined;
  /** Kinds that it says its texts are of, in several fields maybe. */
  readonly textKinds?: readonly SaidKind[] | undefined;
}

export type PromptDecision =
  | {
      readonly kind: "prompt";
      readonly rule: "named" | "of-kind" | "default";
      readonly name: string;
      readonly text: string;
      /** Field by which the request asked for it; null: the model's default. */
      readonly field: string | null;
    }
  | {
      readonly kind: "plain";
      /** `not-asked`: no prompt is named and none is the default. `no-prompts`: the model reads texts of all kinds alike. `other-side`: it has one for queries or for documents only. */
      readonly rule: "not-asked" | "no-prompts" | "other-side";
    }
  | {
      readonly kind: "refused";
      readonly rule: "unknown-prompt" | "unknown-kind" | "no-prompt-of-kind" | "contradiction";
      readonly field: string;
      readonly got: string;
    };

/** True for a model that reads texts of all kinds alike: its files state no prompt, or empty ones only. */
const readsAlike = ({ prompts }: Pick<Prompts, "prompts">) => Object.values(prompts).every((text) => text === "");

/** Finds the prompt for a kind of text; undefined without one. */
function promptOfKind(prompts: Prompts["prompts"], kind: string): string | undefined {
  const names = Object.keys(prompts);
  for (const wanted of textKinds[kind]?.prompts ?? []) {
    const name = names.find((each) => plainName(each) === wanted);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** Lists the kinds of text for which a model can be asked. */
export function kindsOf({ prompts }: Pick<Prompts, "prompts">): string[] {
  const kinds = Object.keys(textKinds);
  if (readsAlike({ prompts })) return kinds;
  const own = kinds.filter((kind) => promptOfKind(prompts, kind) !== undefined);
  // A prompt for one side of a search only says that texts of the other side have none.
  const searches = own.includes("query") || own.includes("document") ? ["query", "document"] : [];
  return [...new Set([...searches, ...own])];
}

function decideKind(model: Prompts, { field, value }: SaidKind): PromptDecision {
  const { prompts } = model;
  const prompt = (name: string) =>
    ({ kind: "prompt", rule: "of-kind", name, text: prompts[name] ?? "", field }) as const;
  const own = Object.hasOwn(prompts, value)
    ? value
    : Object.keys(prompts).find((name) => plainName(name) === plainName(value));
  if (own !== undefined) return prompt(own);
  const kind = kindNamed(value);
  if (kind === undefined) return { kind: "refused", rule: "unknown-kind", field, got: value };
  if (readsAlike(model)) return { kind: "plain", rule: "no-prompts" };
  const name = promptOfKind(prompts, kind);
  if (name !== undefined) return prompt(name);
  if (kindsOf(model).includes(kind)) return { kind: "plain", rule: "other-side" };
  return { kind: "refused", rule: "no-prompt-of-kind", field, got: value };
}

function decideName({ prompts }: Prompts, name: string, field: string | null): PromptDecision {
  const text = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (text === undefined) return { kind: "refused", rule: "unknown-prompt", field: field ?? "prompt_name", got: name };
  return { kind: "prompt", rule: field === null ? "default" : "named", name, text, field };
}

const textOf = (decision: PromptDecision) => (decision.kind === "prompt" ? decision.text : "");

/** Decides which of a model's prompts is put before a request's texts. */
export function decidePrompt(model: Prompts, { promptName, textKinds: said = [] }: PromptWish): PromptDecision {
  const wishes = [
    ...(promptName === undefined ? [] : [decideName(model, promptName, "prompt_name")]),
    ...said.filter(({ value }) => !leavesKindOpen(value)).map((each) => decideKind(model, each)),
  ];
  const refused = wishes.find(({ kind }) => kind === "refused");
  if (refused !== undefined) return refused;
  const [first, ...others] = wishes;
  if (first === undefined)
    return model.defaultPrompt === null
      ? { kind: "plain", rule: "not-asked" }
      : decideName(model, model.defaultPrompt, null);
  if (others.every((other) => textOf(other) === textOf(first))) return first;
  const { field, value } = said.findLast(({ value: each }) => !leavesKindOpen(each)) as SaidKind;
  return { kind: "refused", rule: "contradiction", field, got: value };
}
