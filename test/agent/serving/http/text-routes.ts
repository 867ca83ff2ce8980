import { type AnyElysia, Elysia } from "elysia";
import type { EmbedRequest, TokenizeRequest } from "#agent/serving/admission/embedder.ts";
import { createReranker } from "#agent/serving/admission/rerank-texts.ts";
import { azureRoutes } from "#agent/serving/http/azure-routes.ts";
import { nativeRoutes } from "#agent/serving/http/native-routes.ts";
import { ollamaRoutes } from "#agent/serving/http/ollama-routes.ts";
import { openAiRoutes } from "#agent/serving/http/openai-routes.ts";
import { rerankRoutes } from "#agent/serving/http/rerank-routes.ts";
import { teiRoutes } from "#agent/serving/http/tei-routes.ts";
import { tokenVectorRoutes } from "#agent/serving/http/token-vector-routes.ts";
import { ServiceError } from "#platform/errors.ts";
import { errorResponse } from "#platform/http/error-response.ts";
import { noteCaller } from "#platform/http/guard/request-caller.ts";
import { sameVectors } from "../grpc/start-grpc.ts";

export const rules = { maxInputs: 10, emptyTexts: "refuse" } as const;

/** The route builder's routes over an embedder that keeps what it was asked for. */
export function recording(build: (embedder: ReturnType<typeof sameVectors>) => AnyElysia) {
  const asked: (EmbedRequest | TokenizeRequest)[] = [];
  const same = sameVectors(4);
  // As createHttpApp does: it is about the routes alone here.
  const answering = new Elysia({ normalize: false }).onError(({ error }) => {
    // Elysia wraps the error of reading the body.
    const cause = error instanceof ServiceError ? error : (error as Error).cause;
    if (cause instanceof ServiceError) return errorResponse(cause, "plain");
    throw error;
  });
  const built = build({
    ...same,
    embed(request) {
      asked.push(request);
      return same.embed(request);
    },
    tokenize(request) {
      asked.push(request);
      const texts = request.inputs.map(() => ({ ids: Uint32Array.of(1), before: 0, after: 0 }));
      return Promise.resolve({ texts, tokenizer: { tokenName: () => "a", isSpecial: () => false } });
    },
  });
  const routes = answering.use(built);
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const client = new AbortController();
    const request = new Request(`http://localhost${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal: client.signal,
    });
    noteCaller(request, { tenant: "red" });
    const answer = await routes.handle(request);
    return { answer, client };
  };
  return { asked, post };
}

export const native = () => recording((embedder) => nativeRoutes(embedder, rules));
export const openAi = () =>
  recording((embedder) =>
    openAiRoutes(
      embedder,
      rules,
      () => [],
      () => null,
      () => 0,
    ),
  );
export const azure = () => recording((embedder) => azureRoutes(embedder, rules));
export const ollama = () => recording((embedder) => ollamaRoutes(embedder, rules, () => null));
export const tei = () => recording((embedder) => teiRoutes(embedder, rules));
export const tokenVectors = () => recording((embedder) => tokenVectorRoutes(embedder, rules, () => "sparse"));
export const rerank = () =>
  recording((embedder) =>
    rerankRoutes(
      createReranker(embedder, () => "first"),
      rules,
    ),
  );

/** Every route for texts, with its smallest body. `kinds`: it takes what a client says of its texts' kind. */
export const textRoutes = [
  { routes: openAi, path: "/v1/embeddings", body: { input: "a" }, kinds: true },
  { routes: azure, path: "/openai/v1/embeddings", body: { input: "a" }, kinds: true },
  { routes: azure, path: "/openai/deployments/m/embeddings", body: { input: "a" }, kinds: true },
  { routes: native, path: "/api/v1/embed", body: { inputs: ["a"] }, kinds: true },
  { routes: ollama, path: "/api/embed", body: { input: "a" }, kinds: true },
  { routes: ollama, path: "/api/embeddings", body: { prompt: "a" }, kinds: true },
  { routes: tei, path: "/embed", body: { inputs: "a" }, kinds: true },
  { routes: tei, path: "/", body: { inputs: "a" }, kinds: true },
  { routes: tokenVectors, path: "/embed_all", body: { inputs: "a" }, kinds: true },
  { routes: tokenVectors, path: "/embed_sparse", body: { inputs: "a" }, kinds: true },
  {
    routes: tei,
    path: "/similarity",
    body: { inputs: { source_sentence: "a", sentences: ["b"] } },
    kinds: false,
  },
  { routes: tei, path: "/tokenize", body: { inputs: "a" }, kinds: false },
  { routes: rerank, path: "/rerank", body: { query: "q", texts: ["a"] }, kinds: false },
  { routes: rerank, path: "/v1/rerank", body: { query: "q", documents: ["a"] }, kinds: false },
] as const;
