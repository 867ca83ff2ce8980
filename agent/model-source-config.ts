import { type Static, Type } from "@sinclair/typebox";

const orNull = (description: string, pattern?: string) =>
  Type.Union(
    [Type.String({ minLength: 1, maxLength: 2048, ...(pattern === undefined ? {} : { pattern }) }), Type.Null()],
    {
      default: null,
      description,
    },
  );

/** Source of the models of `thormesh models pull`. */
export const ModelSourceConfig = Type.Object(
  {
    url: orNull("base address of Hugging Face or a mirror; null: THORMESH_MODELS_URL, HF_ENDPOINT", "^https?://"),
    token: orNull("token for private and gated models; null: THORMESH_MODELS_TOKEN, HF_TOKEN"),
    maxBytes: Type.Integer({
      default: 20e9,
      minimum: 1,
      maximum: 1e13,
      description: "maximum size of all files of a model together",
    }),
    timeoutS: Type.Number({
      default: 30,
      minimum: 0.1,
      maximum: 3600,
      description: "how long the server may be silent",
    }),
  },
  { additionalProperties: false, default: {}, description: "Source of `thormesh models pull`." },
);
export type ModelSourceConfig = Static<typeof ModelSourceConfig>;
