import { afterAll, beforeAll, expect, test } from "bun:test";
import Ajv from "ajv";
import { wronglyRequired } from "../../../fakes/required-parameters.ts";
import { testEveryRoute } from "../every-route.ts";

interface Content {
  readonly schema: object & { readonly example?: unknown };
  readonly example?: unknown;
  readonly examples?: Record<string, { value: unknown }>;
}
interface Operation {
  readonly summary?: string;
  readonly tags?: string[];
  readonly parameters?: {
    name: string;
    in: string;
    required?: boolean;
    example?: unknown;
    schema: { example?: unknown };
  }[];
  readonly requestBody?: { content: Record<string, { schema: { example?: unknown } }> };
  readonly responses: Record<string, { description: string; content: Record<string, Content> }>;
}

// Ajv knows OpenAPI's "nullable".
const ajv = new Ajv({ strict: false, allErrors: true });
function errorsOf(schema: object, value: unknown): string[] {
  const validate = ajv.compile(schema);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

let server: ReturnType<typeof testEveryRoute>;
const operations: { method: string; path: string; operation: Operation }[] = [];
beforeAll(async () => {
  server = testEveryRoute();
  await server.serving.start();
  const answer = await fetch(`${server.serving.url}/openapi/json`);
  const document = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) operations.push({ method, path, operation });
  }
});
afterAll(() => server.serving.stop());

test("every route is there, with a summary, a tag, an answer's schema and example", () => {
  expect(operations.map(({ path }) => path).sort()).toEqual(
    [
      "/",
      "/api/embed",
      "/api/embeddings",
      "/api/v1/embed",
      "/api/v1/forecast",
      "/api/v1/forecast/accuracy",
      "/api/v1/forecast/rollback",
      "/api/v1/forecast/training",
      "/api/v1/mesh",
      "/api/v1/mesh/embed",
      "/api/v1/minutes",
      "/api/v1/status",
      "/embed",
      "/embed_all",
      "/embed_sparse",
      "/health",
      "/info",
      "/livez",
      "/metrics",
      "/models",
      "/openai/deployments/{name}/embeddings",
      "/openai/v1/embeddings",
      "/readyz",
      "/rerank",
      "/similarity",
      "/tokenize",
      "/v1/embeddings",
      "/v1/models",
      "/v1/models/{id}",
      "/v1/rerank",
    ].sort(),
  );
  for (const { method, path, operation } of operations) {
    const label = `${method} ${path}`;
    expect([label, operation.summary]).toEqual([label, expect.stringMatching(/.{10}/)]);
    expect([label, operation.tags?.length]).toEqual([label, 1]);
    const answers = Object.values(operation.responses["200"]?.content ?? {});
    expect([label, answers.length]).toEqual([label, 1]);
    expect([label, answers[0]?.example ?? answers[0]?.schema.example]).toEqual([label, expect.anything()]);
  }
});

test("the document has the words of OpenAPI 3.0 only", async () => {
  const text = await (await fetch(`${server.serving.url}/openapi/json`)).text();
  expect(text).toContain('"openapi":"3.0.3"');
  expect(text).not.toContain('"type":"null"');
  expect(text).not.toContain('"const":');
});

test("the document calls those parameters required that a route refuses to be without, and no others", async () => {
  expect(await wronglyRequired(server.serving.url)).toEqual([]);
});

test("every example is what its schema says", () => {
  let checked = 0;
  for (const { method, path, operation } of operations) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      for (const { schema, example, examples } of Object.values(content)) {
        const values = [
          ...(example === undefined ? [] : [example]),
          ...(schema.example === undefined ? [] : [schema.example]),
          ...Object.values(examples ?? {}).map(({ value }) => value),
        ];
        expect(values.length).toBeGreaterThan(0);
        for (const value of values) {
          const errors = errorsOf(schema, value);
          expect([`${method} ${path} ${status}`, errors]).toEqual([`${method} ${path} ${status}`, []]);
          checked += 1;
        }
      }
    }
  }
  expect(checked).toBeGreaterThan(40);
});

test("every request's example is answered, and the answer is what its schema says", async () => {
  for (const { method, path, operation } of operations) {
    const label = `${method} ${path}`;
    const described = Object.values(operation.requestBody?.content ?? {})[0]?.schema.example;
    // The only one that needs no body.
    if (method === "post" && path !== "/api/v1/forecast/rollback")
      expect([label, described]).toEqual([label, expect.anything()]);
    // Another agent asks for the vectors that this one makes, and has time: the example's would not last on a busy machine.
    const [loaded] = server.serving.loadedModels();
    const body =
      path === "/api/v1/mesh/embed" ? { ...(described as object), space: loaded?.space, budgetMs: 300_000 } : described;
    const target = path.replace(/\{(id|name)\}/, "all-MiniLM-L6-v2");
    const answer = await fetch(server.serving.url + target, {
      method: method.toUpperCase(),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (path.endsWith("/rerank")) {
      // No cross-encoder is served here; test/agent/serving/admission/rerank.test.ts has one.
      expect([label, answer.status]).toEqual([label, 404]);
      continue;
    }
    if (path === "/embed_sparse") {
      // Nor a sparse model; test/agent/serving/http/token-vectors.test.ts has one.
      expect([label, answer.status]).toEqual([label, 424]);
      continue;
    }
    expect([label, answer.status]).toEqual([label, 200]);
    const { schema } = Object.values(operation.responses["200"]!.content)[0]!;
    const text = await answer.text();
    const value = answer.headers.get("content-type")?.includes("json") === true ? JSON.parse(text) : text;
    const errors = errorsOf(schema, value);
    expect([label, errors]).toEqual([label, []]);
  }
});
