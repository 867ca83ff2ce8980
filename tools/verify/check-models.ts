import { answerToText, type ServerClient } from "./server-client.ts";
import { fail, ok, type VerifyResult } from "./verify-result.ts";

export interface ModelInfo {
  readonly id: string;
  /** Maximum tokens of a text; undefined: the server does not say. */
  readonly maxTokens: number | undefined;
  /** True: longer texts are cut. */
  readonly cuts: boolean | undefined;
  readonly isReranker: boolean;
}

/** Reads `/info`, which agents and text-embeddings-inference have. */
async function readInfo(server: ServerClient, model: string | undefined): Promise<Partial<ModelInfo>> {
  const { status, json } = await server.get(`/info${model === undefined ? "" : `?model=${encodeURIComponent(model)}`}`);
  if (status !== 200 || typeof json?.model_id !== "string") return {};
  const { model_id, max_input_length, auto_truncate, model_type } = json;
  return {
    id: model_id,
    ...(typeof max_input_length === "number" ? { maxTokens: max_input_length } : {}),
    ...(typeof auto_truncate === "boolean" ? { cuts: auto_truncate } : {}),
    isReranker: model_type?.reranker !== undefined && model_type?.embedding === undefined,
  };
}

/**
 * Checks the list of models, and chooses the one to verify.
 * @param wanted id or alias; undefined: the server's default
 */
export async function checkModels(
  server: ServerClient,
  wanted: string | undefined,
): Promise<{ readonly model: ModelInfo | null; readonly result: VerifyResult }> {
  const name = "models";
  const answer = await server.get("/v1/models");
  const listed: unknown = answer.json?.data;
  const ids = Array.isArray(listed) ? listed.map((each) => String(each?.id)) : [];
  if (answer.status !== 200 || ids.length === 0) {
    const got = answer.status === 200 ? "the list is empty" : answerToText(answer);
    return {
      model: null,
      result: fail(name, `GET /v1/models: ${got}`, "thormesh models list says what the device has."),
    };
  }
  const info = await readInfo(server, wanted);
  const id = wanted ?? info.id ?? (ids[0] as string);
  const known = ids.includes(id) || (info.id !== undefined && ids.includes(info.id));
  if (!known) {
    const detail = `"${id}" is not one of the listed models: ${ids.join(", ")}`;
    return { model: null, result: fail(name, detail, "--model takes an id from the list.") };
  }
  return {
    model: { id, maxTokens: info.maxTokens, cuts: info.cuts, isReranker: info.isReranker ?? false },
    result: ok(
      name,
      `${ids.length} listed (${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ", …" : ""}); ${id} is verified`,
    ),
  };
}
