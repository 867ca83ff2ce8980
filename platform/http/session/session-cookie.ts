import type { Session, SessionFinder } from "./session-finder.ts";

/** Longest time for which a browser keeps the cookie; the server ends the session earlier when it is idle. */
export const maxSessionMs = 7 * 24 * 3_600_000;

/** Path of the routes that log in and out. */
export const sessionPath = "/api/v1/session";

const tokenForm = /^[A-Za-z0-9_-]{43}$/;

/** Name of the cookie. Browsers share cookies among the ports of a host, so that servers on other ports need other names. */
function sessionCookieName(headers: Headers): string {
  const port = /:(\d{1,5})$/.exec(headers.get("host") ?? "")?.[1];
  return port === undefined ? "thormesh_session" : `thormesh_session_${port}`;
}

/** Returns the token of a request's session cookie; null without one. */
export function sessionTokenOf(headers: Headers): string | null {
  const cookies = headers.get("cookie");
  if (cookies === null) return null;
  const name = `${sessionCookieName(headers)}=`;
  const found = cookies.split(";").find((cookie) => cookie.trimStart().startsWith(name));
  const token = found?.trim().slice(name.length) ?? "";
  return tokenForm.test(token) ? token : null;
}

/**
 * Value of a `Set-Cookie` header.
 * @param token null: the browser is to forget the cookie
 * @param encrypted true: the browser sends it over TLS only
 */
export function setSessionCookie(headers: Headers, token: string | null, encrypted: boolean): string {
  const age = token === null ? 0 : maxSessionMs / 1000;
  const secure = encrypted ? "; Secure" : "";
  return `${sessionCookieName(headers)}=${token ?? ""}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${age}${secure}`;
}

/** Finds the session of a request that comes with a cookie and without a key of its own; null for any other request. */
export function sessionOf(
  request: Request,
  authorization: string | null,
  finder: SessionFinder | null,
): Session | null {
  if (finder === null || authorization !== null) return null;
  const token = sessionTokenOf(request.headers);
  return token === null ? null : finder.find(token);
}
