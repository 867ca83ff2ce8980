import { availableParallelism } from "node:os";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import { type ModelManifest, Precision } from "./model-manifest.ts";

const whole = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum });

/** Settings of how a model is loaded and its texts are batched. */
export const modelSettings = {
  precision: Type.Union([Type.Literal("auto"), Precision], {
    description: "ONNX file of a model to load; auto: the most accurate one",
  }),
  threads: orNull(whole(1, 256), "number of compute threads; null: one per core, up to four"),
  oneThreadProcesses: orNull(
    whole(0, 256),
    "number of single-threaded processes that join in while the queue is long; null: as many as threads; 0: none",
  ),
  batchTokens: orNull(whole(1, 16_777_216), "maximum tokens in a batch; null: 256 on a CPU, 16384 on a GPU"),
  batchTexts: orNull(whole(1, 4096), "maximum texts in a batch; null: 32 on a CPU, 256 on a GPU"),
  paddedLengths: orNull(
    Type.Array(whole(1, 1_048_576), { minItems: 1, maxItems: 64, uniqueItems: true }),
    "lengths in tokens to which texts are padded; null: the longest text of a batch on a CPU, a dozen lengths on a GPU",
  ),
  tokenIds: Type.Union(
    [Type.Literal("marked"), Type.Literal("own"), Type.Literal("cl100k_base"), Type.Literal("none")],
    {
      description:
        "lists of token ids that clients may send; marked: those that begin and end with the model's special tokens; own: all, as ids of the model's vocabulary, special tokens are added; cl100k_base: all, as the texts they stand for in OpenAI's vocabulary, which LangChain's OpenAIEmbeddings sends; none: only texts",
    },
  ),
};

const optional = <Schemas extends Record<string, TSchema>>(schemas: Schemas) =>
  Type.Partial(Type.Object(schemas), { additionalProperties: false });

/** Settings that differ for single models, by id or alias. */
export const SettingsByModel = Type.Record(Type.String({ minLength: 1 }), optional(modelSettings), {
  maxProperties: 256,
  default: {},
  description: "settings of individual models, by id or alias",
});

const ModelSettings = Type.Object(modelSettings);
export type ModelSettings = Static<typeof ModelSettings>;

/** A small encoder gains little from more threads on one batch, and the device has other work. */
const maxThreads = 4;

/** Returns the threads that compute unless configured: one for each core that this process may use, up to four. */
export function defaultThreads(): number {
  return Math.min(maxThreads, availableParallelism());
}

/** Returns the settings of one model: its own before those of all models. Names are compared ignoring case. */
export function settingsOf(
  config: ModelSettings & {
    readonly models: Static<typeof SettingsByModel>;
    readonly aliases?: Readonly<Record<string, string>>;
  },
  { id, aliases }: Pick<ModelManifest, "id" | "aliases">,
): ModelSettings & { readonly threads: number } {
  const known = [...aliases, id].map((name) => name.toLowerCase());
  const own = Object.entries(config.aliases ?? {}).filter(([, model]) => known.includes(model.toLowerCase()));
  const names = [...own.map(([name]) => name.toLowerCase()), ...known];
  const settings = Object.fromEntries(
    Object.keys(modelSettings).map((key) => [key, config[key as keyof ModelSettings]]),
  ) as ModelSettings;
  // The id comes last: its settings override those of an alias.
  const given = Object.entries(config.models)
    .map(([name, own]) => ({ own, strength: names.indexOf(name.toLowerCase()) }))
    .filter(({ strength }) => strength >= 0)
    .sort((a, b) => a.strength - b.strength);
  const merged: ModelSettings = Object.assign(settings, ...given.map(({ own: each }) => each));
  const paddedLengths = merged.paddedLengths?.toSorted((a, b) => a - b) ?? null;
  return { ...merged, paddedLengths, threads: merged.threads ?? defaultThreads() };
}
