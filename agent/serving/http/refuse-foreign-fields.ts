import { ServiceError } from "#platform/errors.ts";

interface ForeignField {
  /** Values that change nothing. */
  readonly neutral: readonly unknown[];
  readonly instead: string;
}

const dimensions: ForeignField = { neutral: [], instead: "dimensions cuts vectors" };
const numbers: ForeignField = {
  neutral: ["float", "float32"],
  instead: "vectors are of 32-bit numbers, as text or with encoding_format: base64",
};
const prompt: ForeignField = { neutral: [""], instead: "prompt_name names one of the model's prompts" };
const unscaled: ForeignField = { neutral: [true], instead: "vectors have the length 1 here, /embed takes normalize" };

/** Fields of other servers' requests that ask for other vectors, by name. */
const foreignFields: Readonly<Record<string, ForeignField>> = {
  add_special_tokens: { neutral: [true], instead: "the model's special tokens are always added" },
  embedding_type: numbers,
  embedding_types: numbers,
  instruction: prompt,
  late_chunking: { neutral: [false], instead: "each text is computed by itself" },
  normalize: unscaled,
  normalized: unscaled,
  output_dimension: dimensions,
  output_dimensionality: dimensions,
  output_dtype: numbers,
  prompt,
  truncate_prompt_tokens: {
    neutral: [-1],
    instead: "texts are cut to what the model reads, or refused with truncate: false",
  },
};

/**
 * Refuses fields of other servers' requests that ask for other vectors than those that would be answered; fields that mean nothing for vectors
 * (`user`) are left aside.
 * @throws ServiceError INVALID_REQUEST
 */
export function refuseForeignFields(body: Readonly<Record<string, unknown>>): void {
  for (const [name, { neutral, instead }] of Object.entries(foreignFields)) {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    const values = Array.isArray(value) ? value : [value];
    if (value === undefined || value === null || values.every((each) => neutral.includes(each))) continue;
    const expected = neutral.length === 0 ? "none" : JSON.stringify(neutral[0]);
    throw new ServiceError(
      "INVALID_REQUEST",
      `${name}: expected ${expected}, got ${JSON.stringify(value).slice(0, 100)}: ${instead}`,
      { details: { param: name } },
    );
  }
}
