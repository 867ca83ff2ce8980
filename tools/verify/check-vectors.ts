import { knownModel, knownVectors, minKnownCosine } from "./known-vectors.ts";
import type { ServerClient } from "./server-client.ts";
import { cosine, decodeBase64, embed, freshText, lengthOf, vectorsOf } from "./vectors.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

/** Deviation of the length 1 that float32 leaves. */
const maxLengthError = 1e-3;
/** Cosine of two computations of one text: batches of other lengths may round otherwise. */
const minSameCosine = 0.9999;
/** Cosine below which two vectors of one text can't be the same model's. */
const minLikeCosine = 0.98;

const figure = (value: number) => value.toFixed(4);
const wrongModel = "Its model files or its ONNX Runtime differ from the published ones: thormesh models verify.";

/** Checks the vectors of known texts, for the model inside this program. */
export async function checkKnownVectors(server: ServerClient, model: string): Promise<VerifyResult> {
  const name = "known texts";
  if (model.split("/").at(-1)?.toLowerCase() !== knownModel.toLowerCase())
    return warn(
      name,
      `not checked: reference vectors are known only for ${knownModel}`,
      "--model chooses another of its models.",
    );
  const vectors = await embed(
    server,
    model,
    knownVectors.map(({ text }) => text),
  );
  const cosines = vectors.map((vector, i) => cosine(vector, decodeBase64(knownVectors[i]?.vector) ?? []));
  const lowest = Math.min(...cosines);
  if (lowest >= minKnownCosine)
    return ok(name, `${cosines.length} vectors like the original's: cosine ${figure(lowest)} or more`);
  return fail(name, `cosine ${figure(lowest)} with the original's vectors, expected ${minKnownCosine}`, wrongModel);
}

/** Checks that vectors have the length 1. */
export async function checkNormalised(server: ServerClient, model: string): Promise<VerifyResult> {
  const vectors = await embed(server, model, [freshText("a short text"), freshText("quite another text about robots")]);
  const worst = Math.max(...vectors.map((vector) => Math.abs(lengthOf(vector) - 1)));
  const detail = `${vectors[0]?.length} values, of length 1 to ${worst.toExponential(0)}`;
  if (worst <= maxLengthError) return ok("normalised", detail);
  return warn(
    "normalised",
    `a vector's length differs from 1 by ${figure(worst)}`,
    "Clients that use dot products need length 1.",
  );
}

/** Returns the tokens of texts, which a cache of texts does not know; undefined where the server has no `/tokenize`. */
async function tokenIds(
  server: ServerClient,
  model: string,
  inputs: readonly string[],
): Promise<number[][] | undefined> {
  const { status, json } = await server.post("/tokenize", { model, inputs });
  if (status !== 200 || !Array.isArray(json) || json.length !== inputs.length) return undefined;
  const lists = json.map((tokens) => (Array.isArray(tokens) ? tokens.map((token) => token?.id) : []));
  return lists.every((ids) => ids.length > 0 && ids.every(Number.isInteger)) ? lists : undefined;
}

/**
 * Checks that a text has the same vector alone and in a batch, in the batch's order. The batch is sent as token ids where possible, so that no cache
 * of texts can answer it.
 */
export async function checkBatch(server: ServerClient, model: string): Promise<VerifyResult> {
  const name = "batch = single";
  const texts = [
    "one",
    "the second text is somewhat longer than the first one",
    "a third text",
    "and the last of four",
  ].map(freshText);
  const alone: number[][] = [];
  for (const text of texts) alone.push(...(await embed(server, model, [text])));
  const ids = await tokenIds(server, model, texts);
  const together = await embed(server, model, (ids ?? texts).toReversed() as string[]);
  const same = texts.map((_, i) => cosine(alone[i] as number[], together.toReversed()[i] as number[]));
  const nearest = alone.map((vector) => {
    const all = together.map((other) => cosine(vector, other));
    return texts.length - 1 - all.indexOf(Math.max(...all));
  });
  const lowest = Math.min(...same);
  if (nearest.some((found, i) => found !== i)) {
    const order = nearest.map((each) => each + 1).join(", ");
    return fail(
      name,
      `vectors are in a different order than the texts: 1, 2, 3, 4 became ${order}`,
      "This is the server's bug: report it.",
    );
  }
  const how = ids === undefined ? "" : ", recomputed from token ids";
  const detail = `cosine ${figure(lowest)} or more, order kept${how}`;
  if (lowest >= minSameCosine) return ok(name, detail);
  if (lowest >= minLikeCosine)
    return warn(
      name,
      `cosine ${figure(lowest)}: a text's vector depends a little on its batch`,
      "Usual for quantised activations.",
    );
  return fail(name, `cosine ${figure(lowest)} of a text alone and in a batch, expected ${minSameCosine}`, wrongModel);
}

/** Checks that a text has the same vector each time. */
export async function checkDeterministic(server: ServerClient, model: string): Promise<VerifyResult> {
  const text = freshText("the same text twice");
  const ids = await tokenIds(server, model, [text]);
  const [first, second] = [await embed(server, model, [text]), await embed(server, model, ids ?? [text])];
  const likeness = cosine(first[0] as number[], second[0] as number[]);
  if (likeness >= minSameCosine) return ok("deterministic", `the same text twice: cosine ${figure(likeness)}`);
  return fail(
    "deterministic",
    `the same text twice: cosine ${figure(likeness)}, expected ${minSameCosine}`,
    wrongModel,
  );
}

/** Checks that base64 holds the same numbers as JSON. */
export async function checkBase64(server: ServerClient, model: string): Promise<VerifyResult> {
  const name = "base64 = float";
  const input = [freshText("as base64")];
  const [asFloat] = vectorsOf(await server.post("/v1/embeddings", { model, input, encoding_format: "float" }), 1);
  const answer = await server.post("/v1/embeddings", { model, input, encoding_format: "base64" });
  if (answer.status === 200 && typeof answer.json?.data?.[0]?.embedding !== "string")
    return warn(name, "base64 was requested, but numbers came", "OpenAI's clients ask for base64 by default.");
  const [asBase64] = vectorsOf(answer, 1);
  const likeness = cosine(asFloat as number[], asBase64 as number[]);
  if (likeness >= 1 - 1e-6) return ok(name, `${asBase64?.length} values, little-endian float32`);
  return fail(
    name,
    `cosine ${figure(likeness)} of the two, expected 1`,
    "OpenAI's clients ask for base64 by default: report it.",
  );
}
