import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import { type AnyElysia, Elysia } from "elysia";
import stylePath from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import bundlePath from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import { readCarriedFile } from "../files/carried-file.ts";
import { answerText } from "./answer-text.ts";
import { openRoute } from "./open-route.ts";
import { completeParameters } from "./openapi-parameters.ts";
import { asOpenApi30 } from "./openapi-schema.ts";

export interface ApiDescription {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

const page = (title: string) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${Bun.escapeHTML(title)}</title><link rel="stylesheet" href="/openapi/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/openapi/swagger-ui-bundle.js"></script><script src="/openapi/start.js"></script></body>
</html>`;

const startScript = `SwaggerUIBundle({ url: "/openapi/json", dom_id: "#swagger-ui", validatorUrl: null });`;

const hidden = { detail: { hide: true, ...openRoute } };

/** Content security policy: the page needs nothing from other sites and must not load anything from them. */
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** Answers that the guard gives in place of a route's own. */
const guardAnswers = {
  401: "UNAUTHORIZED: no key, or none that is valid",
  403: "FORBIDDEN: the key's role does not do",
  429: "TOO_MANY_REQUESTS: too many wrong keys from this address",
};

type Operations = Readonly<Record<string, { security?: readonly unknown[]; responses?: Record<string, unknown> }>>;

/** Removes the content of answers without a body, which Elysia describes as one of type void. */
function removeVoidContent(paths: Readonly<Record<string, Operations>>): void {
  for (const { responses = {} } of Object.values(paths).flatMap((operations) => Object.values(operations)))
    for (const response of Object.values(responses) as { content?: { type?: unknown } }[])
      if (response.content?.type === "void") delete response.content;
}

/** Adds the guard's answers to the routes that need a key. */
function addGuardAnswers(paths: Readonly<Record<string, Operations>>): void {
  for (const operation of Object.values(paths).flatMap((operations) => Object.values(operations))) {
    if (operation.security?.length === 0) continue;
    const content = { "application/json": { schema: { type: "object" } } };
    for (const [status, description] of Object.entries(guardAnswers))
      operation.responses = { [status]: { description, content }, ...operation.responses };
  }
}

/**
 * Serves `/openapi` (a page that works without internet) and `/openapi/json` (OpenAPI 3.0), built from the routes of `app()` at the first request.
 * @param withKey adds the bearer scheme, so that the page has a field for the key
 */
export function openApiPage(about: ApiDescription, app: () => AnyElysia, withKey: () => boolean): AnyElysia {
  const documents = new Map<boolean, string>();
  const buildDocument = () => {
    const { paths, components } = toOpenAPISchema(app(), { paths: [/^\/openapi/] }, undefined, undefined, "3.0.3");
    const security = withKey()
      ? {
          components: { ...components, securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
          security: [{ bearer: [] }],
        }
      : { components };
    // Through JSON, which drops the symbols of TypeBox's schemas.
    const document = JSON.parse(JSON.stringify({ openapi: "3.0.3", info: about, paths, ...security }));
    completeParameters(document.paths, app().routes);
    removeVoidContent(document.paths);
    if (withKey()) addGuardAnswers(document.paths);
    return JSON.stringify(asOpenApi30(document));
  };
  const answer = (body: string | Uint8Array<ArrayBuffer>, type: string, headers: Record<string, string> = {}) =>
    new Response(body, { headers: { "content-type": type, ...headers } });
  const answerCarried = async (path: string, type: string) => answer(await readCarriedFile(path), type);
  const policy = { "content-security-policy": contentSecurityPolicy };
  return new Elysia()
    .get("/openapi", () => answer(page(about.title), "text/html; charset=utf-8", policy), hidden)
    .get(
      "/openapi/json",
      () => {
        const document = documents.get(withKey()) ?? buildDocument();
        documents.set(withKey(), document);
        return answerText(document, { "content-type": "application/json" });
      },
      hidden,
    )
    .get("/openapi/start.js", () => answer(startScript, "text/javascript"), hidden)
    .get("/openapi/swagger-ui-bundle.js", () => answerCarried(bundlePath, "text/javascript"), hidden)
    .get("/openapi/swagger-ui.css", () => answerCarried(stylePath, "text/css"), hidden);
}
