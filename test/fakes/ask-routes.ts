import type { AnyElysia } from "elysia";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");

/** Returns a function that asks routes as an API answers them, errors included, without a server. */
export function askRoutes(routes: AnyElysia) {
  const app = createHttpApp({
    ...{ about: { title: "test", description: "", version: "1" }, log, routes: [routes] },
    authenticator: createAuthenticator({ apiKeys: [], log }),
  });
  return async (path: string) => {
    const response = await app.fetch(new Request(`http://localhost${path}`));
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
}
