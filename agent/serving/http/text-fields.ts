import { type Static, Type } from "@sinclair/typebox";
import type { TokenLimit } from "#agent/serving/text/input-rules.ts";
import { leavesKindOpen, type SaidKind } from "#agent/serving/text/prompt/text-kinds.ts";
import { optional } from "#platform/http/optional-field.ts";

const kind = (description: string) => optional(Type.String({ maxLength: 128, description }));

/** Fields in which clients of other servers state the kind of their texts. The model's prompt for that kind is put before each text. */
export const textKindFields = {
  input_type: kind(
    "kind of the texts (query, passage, search_document, …), which selects the prompt; the header x-prompt-name names it",
  ),
  task: kind("the same in Jina's terms: retrieval.query, retrieval.passage, text-matching, …"),
  task_type: kind("the same in Nomic's and Google's terms: search_query, RETRIEVAL_DOCUMENT, …"),
  taskType: kind("the same"),
  text_type: kind("the same in Alibaba's terms: query, document"),
};
type TextKindFields = { readonly [Field in keyof typeof textKindFields]?: string | null };

const names = Object.keys(textKindFields) as (keyof typeof textKindFields)[];

/** Reads what a request says of its texts; undefined: nothing. */
export function saidKinds(body: TextKindFields): readonly SaidKind[] | undefined {
  const said: SaidKind[] = [];
  for (const field of names) {
    const value = body[field];
    if (typeof value === "string" && !leavesKindOpen(value)) said.push({ field, value });
  }
  return said.length === 0 ? undefined : said;
}

/** Length to which a client has its texts cut; below 0 stands for the model's own. */
export const tokenLimit = optional(
  Type.Integer({
    minimum: -1,
    maximum: 2 ** 31 - 1,
    description: "maximum tokens of a text; not below the model's own",
  }),
);

/** Fields in which clients of other servers have texts cut sooner than the model does, which would be other vectors. */
export const tokenLimitFields = {
  truncate_prompt_tokens: tokenLimit,
  max_length: tokenLimit,
  max_tokens: tokenLimit,
  max_tokens_per_doc: tokenLimit,
};
type TokenLimitFields = {
  readonly [Field in keyof typeof tokenLimitFields]?: number | null;
} & { readonly options?: { readonly num_ctx?: number | null } | null };

const limitNames = Object.keys(tokenLimitFields) as (keyof typeof tokenLimitFields)[];

/** Reads the lengths to which a request has its texts cut; undefined: it says nothing of them. Below 0 stands for the model's own. */
export function saidLimits(body: TokenLimitFields): readonly TokenLimit[] | undefined {
  const said: TokenLimit[] = [];
  const note = (field: string, tokens: number | null | undefined) => {
    if (typeof tokens === "number" && tokens >= 0) said.push({ field, tokens });
  };
  for (const field of limitNames) note(field, body[field]);
  note("options.num_ctx", body.options?.num_ctx);
  return said.length === 0 ? undefined : said;
}

/** Ways to say what happens to a text longer than the model reads, as true and false, or as Cohere's and NVIDIA's clients say it. */
export const Truncate = Type.Union(
  [Type.Boolean(), ...(["NONE", "START", "END"] as const).map((end) => Type.Literal(end))],
  {
    title: "true, false, NONE, START or END",
    default: true,
    description: "cut texts longer than the model reads, at their END or START; false or NONE: refuse them",
  },
);
export type Truncate = Static<typeof Truncate>;
