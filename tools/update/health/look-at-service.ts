import { parseAgentConfig } from "#agent/check-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { readConfigFile } from "#platform/files/read-config.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import type { UpdatedService } from "../update-config.ts";
import type { HealthLook } from "./decide-health.ts";

const lookWithinMs = 5_000;
const maxAnswerBytes = 1024 * 1024;

/** Address of a service on this machine, and a key for it; null where none is needed or known. */
export interface ServiceAddress {
  readonly kind: UpdatedService["kind"];
  readonly url: string;
  readonly key: string | null;
}

const wildcards: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "[::1]" };
const hostOf = (host: string) => wildcards[host] ?? (host.includes(":") ? `[${host}]` : host);

/** Finds out where a service answers, by its configuration. @throws UsageError when that can't be read */
export async function addressOf({ kind, config, url }: UpdatedService): Promise<ServiceAddress> {
  const input = config === null ? {} : await readConfigFile(config);
  const source = config ?? kind;
  if (kind === "controller") {
    const { api } = parseControllerConfig(input, source);
    return {
      kind,
      url: url ?? `${isEncrypted(api.tls) ? "https" : "http"}://${hostOf(api.host)}:${api.port}`,
      key: null,
    };
  }
  const { serving } = parseAgentConfig(input, source);
  const [first] = serving.apiKeys;
  return {
    ...{ kind, key: first === undefined ? null : typeof first === "string" ? first : first.key },
    url: url ?? `${isEncrypted(serving.tls) ? "https" : "http"}://${hostOf(serving.host)}:${serving.port}`,
  };
}

async function ask({ url, key }: ServiceAddress, path: string, body?: object): Promise<Response | null> {
  try {
    return await fetchBounded(new URL(path, url), {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: lookWithinMs,
      maxBytes: maxAnswerBytes,
      // It is on this machine, and its certificate may be for another name.
      tls: { rejectUnauthorized: false },
    });
  } catch {
    return null;
  }
}

interface AnyHealth {
  readonly version?: unknown;
  readonly checks?: { readonly broker?: unknown };
  readonly brokerConnected?: unknown;
}

const nothing = { version: null, ready: false, served: null, broker: null };

/** Looks at a service once: its version, whether it is ready, answers a request, and sees its broker. */
export async function lookAt(address: ServiceAddress, afterMs: number): Promise<HealthLook> {
  const isAgent = address.kind === "agent";
  const answer = await ask(address, isAgent ? "/health" : "/healthz");
  const health = (await answer?.json().catch(() => null)) as AnyHealth | null | undefined;
  if (typeof health?.version !== "string") return { ...nothing, afterMs };
  const { version } = health;
  if (!isAgent) {
    const broker = typeof health.brokerConnected === "boolean" ? health.brokerConnected : null;
    return { afterMs, version, ready: answer?.status === 200, served: null, broker };
  }
  const said = health.checks?.broker;
  const broker = said === undefined ? null : said === "healthy";
  const ready = await ask(address, "/readyz");
  if (ready?.status !== 200) return { afterMs, version, ready: false, served: null, broker };
  const vectors = await ask(address, "/v1/embeddings", { input: `update to ${version} at ${afterMs}` });
  const served = vectors === null ? false : vectors.status === 401 || vectors.status === 403 ? null : vectors.ok;
  return { afterMs, version, ready: true, served, broker };
}
