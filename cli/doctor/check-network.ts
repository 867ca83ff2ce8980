import { fetchBounded } from "#platform/fetch-bounded.ts";
import { isLoopback } from "#platform/http/listen-address.ts";
import type { Logger } from "#platform/log.ts";
import { redactUrl } from "#platform/redact-url.ts";
import { createMqttBroker } from "#protocol/mqtt-broker.ts";
import type { CheckResult } from "./check.ts";

const connectMs = 3_000;

/** Whether the address can be listened on. An agent that runs already holds it, which is no fault. */
export async function checkListen(host: string, port: number, hasKey: boolean): Promise<CheckResult> {
  const name = "HTTP address";
  const address = `${host}:${port}`;
  const open = isLoopback(host) ? "this machine only" : hasKey ? "with an API key" : "WITHOUT an API key";
  try {
    const server = Bun.serve({ hostname: host, port, reusePort: false, fetch: () => new Response() });
    await server.stop(true);
    return { name, status: "ok", detail: `${address} is free; ${open}` };
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") {
      return {
        name,
        status: "failed",
        detail: `${address}: ${(error as Error).message}`,
        advice: "set serving.host and serving.port",
      };
    }
    const isAgent = await fetchBounded(`http://${address}/livez`, { timeoutMs: connectMs, maxBytes: 64 * 1024 }).then(
      (response) => response.ok,
      () => false,
    );
    if (isAgent) return { name, status: "ok", detail: `${address} is served by an agent that runs; ${open}` };
    return {
      name,
      status: "failed",
      detail: `${address} is in use by another program`,
      advice: "stop it, or set serving.port",
    };
  }
}

/** Whether the MQTT broker answers. */
export async function checkBroker(
  broker: { readonly url: string; readonly username: string | null; readonly password: string | null },
  log: Logger,
): Promise<CheckResult> {
  const name = "broker";
  const client = createMqttBroker(
    {
      url: broker.url,
      clientId: `thormesh-doctor-${crypto.randomUUID().slice(0, 8)}`,
      ...(broker.username === null ? {} : { username: broker.username }),
      ...(broker.password === null ? {} : { password: broker.password }),
    },
    log,
  );
  const connected = Promise.withResolvers<boolean>();
  client.onConnection((is) => {
    if (is) connected.resolve(true);
  });
  await client.start();
  const timer = setTimeout(() => connected.resolve(false), connectMs);
  const answers = await connected.promise;
  clearTimeout(timer);
  await client.stop();
  if (answers) return { name, status: "ok", detail: redactUrl(broker.url) };
  return {
    name,
    status: "note",
    detail: `${redactUrl(broker.url)} does not answer: the agent serves alone and keeps its records until it does`,
    advice: "start thormesh controller, or set broker.url",
  };
}
