import { type AnyElysia, Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { openRoute } from "../open-route.ts";
import type { OpenPage, PageFile } from "./open-page.ts";
import { assetPath } from "./page-bundle.ts";

/** Content security policy: everything comes from this server, and nothing is written into the page's HTML. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
};

const hidden = { detail: { hide: true, ...openRoute } };

/** True if a client takes gzip, by its Accept-Encoding header. */
export function takesGzip(header: string | null): boolean {
  return (header ?? "").split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((each) => each.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return (name === "gzip" || name === "*") && !isRefused;
  });
}

/** True if a client has this version, by its If-None-Match header. */
function isKnown(header: string | null, etag: string): boolean {
  return (header ?? "").split(",").some((each) => [etag, `W/${etag}`, "*"].includes(each.trim()));
}

function answerFile(request: Request, file: PageFile, more: Readonly<Record<string, string>>): Response {
  const headers = { ...more, etag: file.etag, vary: "accept-encoding" };
  if (isKnown(request.headers.get("if-none-match"), file.etag)) return new Response(null, { status: 304, headers });
  const typed = { ...headers, "content-type": file.type };
  return takesGzip(request.headers.get("accept-encoding"))
    ? new Response(file.gzipped, { headers: { ...typed, "content-encoding": "gzip" } })
    : new Response(file.text, { headers: typed });
}

/**
 * Serves a page under its paths, and the files that it asks for. They are open to everyone, as they hold no data: that the page asks for by the
 * API, with the rights of its user.
 */
export function pageRoutes(open: () => Promise<OpenPage>, paths: readonly string[]): AnyElysia {
  const app: AnyElysia = new Elysia();
  for (const path of paths) {
    app.get(
      path,
      async ({ request }) => answerFile(request, (await open()).html, { ...pageHeaders, "cache-control": "no-cache" }),
      hidden,
    );
  }
  return app.get(
    `${assetPath}:name`,
    async ({ request, params }) => {
      const file = (await open()).assets.get(params["name"] ?? "");
      if (file === undefined) throw new ServiceError("NOT_FOUND", "the page has no such file; load it again");
      return answerFile(request, file, { "cache-control": "public, max-age=31536000, immutable" });
    },
    hidden,
  );
}
