import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { answerToText, type ServerClient } from "./server-client.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

const wrongKey = { other: "wrong-key-of-thormesh-verify" } as const;

/**
 * Checks that a route is closed to requests without the key, and with another one.
 * @param path route that needs the key
 */
export async function checkKey(server: ServerClient, path: string): Promise<VerifyResult> {
  const name = "key";
  const without = await server.get(path, "none");
  const isClosed = (status: number) => status === 401 || status === 403;
  if (!server.hasKey) {
    if (isClosed(without.status))
      return fail(name, `GET ${path}: ${answerToText(without)}`, "Set THORMESH_API_KEY to one of the server's keys.");
    if (isLoopback(new URL(server.url).hostname)) return ok(name, "none is needed on this machine's own address");
    const detail = "none is needed: anyone who can reach the address can use it";
    return warn(name, detail, "Configure keys (docs/security.md), or keep the address within a network you trust.");
  }
  const own = await server.get(path);
  if (isClosed(own.status))
    return fail(
      name,
      `GET ${path}: ${answerToText(own)}`,
      "THORMESH_API_KEY is not one of the server's keys: set one that is.",
    );
  if (!isClosed(without.status)) {
    const detail = `GET ${path} answers ${without.status} without a key, although THORMESH_API_KEY is set`;
    return warn(name, detail, "Configure keys on the server if it should have any.");
  }
  const wrong = await server.get(path, wrongKey);
  if (isClosed(wrong.status)) return ok(name, "needed: requests without it or with another are refused");
  return fail(
    name,
    `GET ${path} answers ${wrong.status} to a wrong key`,
    "The server accepts any key: look at its configuration.",
  );
}
