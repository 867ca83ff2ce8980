import { cleanText } from "#platform/clean-text.ts";
import type { ServiceError } from "#platform/errors.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

const style = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:12vh auto;padding:0 1rem}";
const styleHash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
const contentSecurityPolicy = `default-src 'none'; img-src data:; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`;
const maxMessageCharacters = 500;

/** True for a request by which a browser opens a page: it names HTML before all else. */
export function asksForPage({ method, headers }: Request): boolean {
  const [first = ""] = (headers.get("accept") ?? "").split(",");
  return ["GET", "HEAD"].includes(method) && first.split(";")[0]?.trim().toLowerCase() === "text/html";
}

const leads: Readonly<Record<number, string>> = { 401: "Log in on the first page", 429: "Go to the first page later" };

function pageOf(status: number, error: ServiceError): string {
  const message = Bun.escapeHTML(cleanText(redactText(error.message), maxMessageCharacters));
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>${status} · thormesh</title><style>${style}</style></head>
<body><main><h1>${status}</h1><p>${message}</p><p><a href="/">${leads[status] ?? "Go to the first page"}</a></p></main></body>
</html>`;
}

/** Turns an error into a page where a browser asked for one; anything else stays as it is. */
export function errorForBrowser(request: Request, answer: Response, error: ServiceError | undefined): Response {
  if (answer.status < 400 || error === undefined || !asksForPage(request)) return answer;
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  headers.set("content-type", "text/html; charset=utf-8");
  headers.set("content-security-policy", contentSecurityPolicy);
  return new Response(pageOf(answer.status, error), { status: answer.status, headers });
}
