import { answerToText, type ServerClient } from "./server-client.ts";
import { cosine, embed, freshText } from "./vectors.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

const minSameCosine = 0.9999;

/** Checks that the other APIs give the same vector as OpenAI's. Servers of another make have some of them only. */
export async function checkRoutes(server: ServerClient, model: string): Promise<VerifyResult> {
  const name = "routes";
  const text = freshText("by every route");
  const [expected] = await embed(server, model, [text]);
  const routes = {
    "/embed": (json: unknown) => (json as number[][])[0],
    "/api/v1/embed": (json: unknown) => (json as { embeddings: number[][] }).embeddings[0],
  };
  const same = ["/v1/embeddings"];
  const missing: string[] = [];
  for (const [path, read] of Object.entries(routes)) {
    const answer = await server.post(path, { model, inputs: [text] });
    if (answer.status === 404) {
      missing.push(path);
      continue;
    }
    if (answer.status !== 200) return fail(name, `POST ${path}: ${answerToText(answer)}`, "Look at the server's log.");
    const likeness = cosine(expected as number[], read(answer.json) ?? []);
    if (!(likeness >= minSameCosine))
      return fail(name, `POST ${path} gives a different vector: cosine ${likeness.toFixed(4)}`, "Report it.");
    same.push(path);
  }
  const detail = `the same vector by ${same.join(", ")}`;
  return missing.length === 0 ? ok(name, detail) : warn(name, `${detail}; not there: ${missing.join(", ")}`);
}
