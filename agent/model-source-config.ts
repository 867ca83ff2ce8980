import { type Static, Type } from "@sinclair/typebox";
import { integer, Line, number, orNull } from "#platform/config-fields.ts";

const text = { minLength: 1, maxLength: 2048 } as const;

export const ModelSourceConfig = Type.Object(
  {
    url: orNull(
      Type.String({ ...text, pattern: "^https?://" }),
      "base address of Hugging Face or a mirror; null: THORMESH_MODELS_URL, HF_ENDPOINT",
    ),
    token: orNull(Line, "token for private and gated models; null: THORMESH_MODELS_TOKEN, HF_TOKEN"),
    maxBytes: integer(20e9, [1, 1e13], "maximum size of all files of a model together"),
    timeoutS: number(30, [0.1, 3600], "how long the server may be silent"),
  },
  { additionalProperties: false, default: {}, description: "Source of `thormesh models pull`." },
);
export type ModelSourceConfig = Static<typeof ModelSourceConfig>;
