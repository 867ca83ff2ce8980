import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { callerOf, senderOf } from "#platform/http/guard/request-caller.ts";
import { openRoute } from "#platform/http/open-route.ts";
import type { Logger } from "#platform/log.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { sessionPath, sessionTokenOf, setSessionCookie } from "./session-cookie.ts";
import type { Sessions } from "./sessions.ts";

const LoginBody = strictObject({
  key: Type.String({
    minLength: 1,
    maxLength: 16_000,
    pattern: "^[\\x21-\\x7e]+$",
    title: "an API key, or a token of the identity provider: printable ASCII without spaces",
    writeOnly: true,
  }),
});

const CallerView = Type.Object({
  name: Type.String({ description: "name as in the audit log" }),
  role: Type.String({ description: "viewer, operator or admin" }),
});

const SessionView = Type.Object({
  keysRequired: Type.Boolean({ description: "false: anyone who can connect may do anything" }),
  caller: orNull(CallerView, "null: nobody is logged in"),
});

const ErrorView = Type.Object({ error: Type.String(), code: Type.String() }, { additionalProperties: true });

export interface SessionRoutesParts {
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  /** True for an API that is served encrypted. */
  readonly encrypted: boolean;
  readonly log: Logger;
}

function viewOf(caller: Caller | undefined): { readonly name: string; readonly role: string } | null {
  const { role, name = "unknown" } = caller ?? {};
  return role === undefined || role === "embed" ? null : { name, role };
}

/** Routes by which a browser logs in with a key, asks who it is, and logs out. All are open: they are asked before there is a session. */
export function sessionRoutes({ authenticator, sessions, encrypted, log }: SessionRoutesParts) {
  const about = (summary: string, description?: string) => ({
    ...{ summary, tags: ["access"], ...openRoute },
    ...(description === undefined ? {} : { description }),
  });
  /** True where the browser's connection is encrypted: up to here, or up to a proxy before this server. */
  const isEncrypted = (headers: Headers) => encrypted || headers.get("origin")?.startsWith("https:") === true;

  const login = async (key: string, request: Request): Promise<Caller> => {
    const authorization = `Bearer ${key}`;
    await authenticator.prepare(authorization);
    const caller = authenticator.authenticate(authorization, () => senderOf(request));
    if (caller instanceof ServiceError) {
      const { code, message, retryAfterS } = caller;
      if (code !== "UNAUTHORIZED") throw caller;
      const why = message.startsWith("a valid API key") ? "an unknown or expired one" : message;
      const wait = retryAfterS === undefined ? {} : { retryAfterS };
      throw new ServiceError(code, `key: ${why}`, { ...wait, details: { param: "key" } });
    }
    if (viewOf(caller) === null) {
      const got = caller.role === "embed" ? "a tenant's, which is for the agents" : "one without a role";
      throw new ServiceError("FORBIDDEN", `key: expected a key with the role viewer, operator or admin, got ${got}`, {
        details: { param: "key" },
      });
    }
    return caller;
  };

  return new Elysia()
    .get(
      sessionPath,
      ({ request }) => {
        const { keysRequired } = authenticator;
        return { keysRequired, caller: keysRequired ? viewOf(callerOf(request)) : { name: "anyone", role: "admin" } };
      },
      { response: SessionView, detail: about("Who is logged in") },
    )
    .post(
      sessionPath,
      async ({ body, request, set }) => {
        if (!authenticator.keysRequired)
          throw new ServiceError("CONFLICT", "this API needs no key, so there is nothing to log in to");
        const caller = await login(body.key, request);
        const before = sessionTokenOf(request.headers);
        if (before !== null) await sessions.end(before);
        const { name = "unknown" } = caller;
        const token = await sessions.begin(`Bearer ${body.key}`, name);
        log.info({ caller: name, from: senderOf(request) }, "logged in with a browser");
        set.headers["set-cookie"] = setSessionCookie(request.headers, token, isEncrypted(request.headers));
        return { keysRequired: true, caller: viewOf(caller) };
      },
      {
        ...jsonBody(LoginBody),
        response: { 200: SessionView, 400: ErrorView, 401: ErrorView, 403: ErrorView, 409: ErrorView, 429: ErrorView },
        detail: about(
          "Log in with a key",
          "Answers with a cookie in place of the key. The session ends after 12 hours without a request, after 7 days, with its key, and by logging out.",
        ),
      },
    )
    .delete(
      sessionPath,
      async ({ request, set }) => {
        const token = sessionTokenOf(request.headers);
        if (token === null)
          throw new ServiceError(
            "INVALID_REQUEST",
            "cookie: expected a session's cookie, got none: nobody is logged in",
          );
        await sessions.end(token);
        set.headers["set-cookie"] = setSessionCookie(request.headers, null, isEncrypted(request.headers));
        set.status = 204;
      },
      {
        response: { 204: Type.Void({ description: "The session has ended." }), 400: ErrorView },
        detail: about("Log out"),
      },
    );
}
