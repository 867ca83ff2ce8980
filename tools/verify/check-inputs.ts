import type { ModelInfo } from "./check-models.ts";
import { answerToText, type ServerClient } from "./server-client.ts";
import { freshText, vectorsOf } from "./vectors.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

/** Maximum tokens for which a text is made: longer ones would take a small device minutes. */
const maxTriedTokens = 2_048;

/** Checks that a text longer than the model reads is cut, and said to be, or refused where the server says that it does not cut. */
export async function checkLongText(server: ServerClient, model: ModelInfo): Promise<VerifyResult> {
  const name = "long text";
  if (model.maxTokens === undefined || model.cuts === undefined)
    return warn(name, "not checked: the server has no /info with the model's maximum", "Agents and TEI have it.");
  if (model.maxTokens > maxTriedTokens)
    return warn(
      name,
      `not checked: ${model.maxTokens} tokens would take a device too long`,
      "Send a text of your own.",
    );
  const text = `${freshText("long")} ${"word ".repeat(2 * model.maxTokens)}`;
  const answer = await server.post("/v1/embeddings", { model: model.id, input: [text] });
  if (!model.cuts) {
    if (answer.status >= 400 && answer.status < 500) return ok(name, `refused, as declared: ${answerToText(answer)}`);
    return fail(name, `expected a refusal, because /info says auto_truncate: false, got ${answerToText(answer)}`);
  }
  vectorsOf(answer, 1);
  const said = answer.headers.get("x-truncated-inputs") ?? answer.json?.usage?.truncated_inputs;
  if (said === undefined)
    return warn(name, `cut at ${model.maxTokens} tokens, as declared, but the answer does not say so`);
  if (Number(said) !== 1) return fail(name, `expected 1 truncated input, got ${said}`, "Report it.");
  const refused = await server.post("/embed", { model: model.id, inputs: [text], truncate: false });
  if (refused.status >= 400 && refused.status < 500)
    return ok(name, `cut at ${model.maxTokens} tokens, and reported as cut; refused with truncate: false`);
  return fail(name, `expected a refusal with truncate: false, got ${answerToText(refused)}`, "Report it.");
}

/** Checks that an empty text is refused in OpenAI's form, not answered with a vector of nothing. */
export async function checkEmptyText(server: ServerClient, model: string): Promise<VerifyResult> {
  const name = "empty text";
  const answer = await server.post("/v1/embeddings", { model, input: "" });
  if (answer.status === 200) return warn(name, "answered with a vector, as if it were not empty");
  if (answer.status >= 500)
    return fail(name, `expected a refusal (4xx), got ${answerToText(answer)}`, "Look at the server's log.");
  if (typeof answer.json?.error?.message === "string") return ok(name, `refused: ${answerToText(answer)}`);
  return warn(name, `refused with ${answer.status}, without error.message`, "OpenAI's clients show error.message.");
}
