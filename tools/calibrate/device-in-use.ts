import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { keyText } from "#platform/http/guard/identify-caller.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";

const askTimeoutMs = 3_000;
const maxAnswerBytes = 4 * 1024 * 1024;
/** Listen addresses that mean all interfaces; the agent is then asked on the loopback one. */
const anyAddress = new Set(["0.0.0.0", "::", ""]);

function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  let database: Database | undefined;
  try {
    database = new Database(path, { readonly: true });
    database.query("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "SQLITE_BUSY";
  } finally {
    database?.close();
  }
}

/**
 * Reason not to calibrate this device now: an agent serves on it, would be slowed down and would distort the figures. Null without an agent, or
 * when it is draining or on standby.
 */
export async function deviceInUseReason(
  serving: Pick<ServingConfig, "host" | "port" | "apiKeys" | "tls">,
  stateDir: string,
): Promise<string | null> {
  const host = anyAddress.has(serving.host) ? "127.0.0.1" : serving.host;
  const scheme = isEncrypted(serving.tls) ? "https" : "http";
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${serving.port}`;
  const headers: Record<string, string> = {};
  const [apiKey] = serving.apiKeys;
  if (apiKey !== undefined) headers["authorization"] = `Bearer ${keyText(apiKey)}`;
  let status: unknown;
  try {
    const response = await fetchBounded(`${url}/api/v1/status`, {
      headers,
      timeoutMs: askTimeoutMs,
      maxBytes: maxAnswerBytes,
      // It is asked at its own address on this machine.
      tls: { rejectUnauthorized: false },
    });
    if (!response.ok) return `${url} answers with HTTP ${response.status}: stop the agent there if it is one`;
    status = await response.json();
  } catch (error) {
    if ((error as Error).name === "TimeoutError") return `${url} accepts connections but does not answer in time`;
    if (error instanceof SyntaxError) return null; // another program's page
    if (!isLocked(join(stateDir, "agent.db"))) return null;
    return `an agent uses ${stateDir} but does not answer at ${url}: stop it first`;
  }
  const role = (status as { role?: { role?: unknown } } | null)?.role?.role;
  if (role === "draining" || role === "standby" || role === undefined) return null;
  return `the agent at ${url} is serving (role ${String(role)}): drain or stop it first`;
}
