import { ExchangeError, HttpConnection } from "./http-connection.ts";
import type { LoadServer, LoadServerOptions, SendResult } from "./load-server.ts";

export const httpProtocols = ["openai", "native"] as const;
export type HttpProtocol = (typeof httpProtocols)[number];

const paths: Readonly<Record<HttpProtocol, string>> = { openai: "/v1/embeddings", native: "/api/v1/embed" };

/** Fault of an answer with status 200; undefined: it has a vector for each text. */
function faultOf(body: string, protocol: HttpProtocol, texts: number): string | undefined {
  let answer: { data?: unknown; embeddings?: unknown } | null;
  try {
    answer = JSON.parse(body);
  } catch {
    return "an answer that is not JSON";
  }
  const list = protocol === "openai" ? answer?.data : answer?.embeddings;
  const vectors: unknown[] = Array.isArray(list) ? list : [];
  // A vector is an array of numbers or, in OpenAI's shape, base64.
  const whole = vectors.every((item) => {
    const vector = protocol === "openai" ? (item as { embedding?: unknown } | null)?.embedding : item;
    return (Array.isArray(vector) || typeof vector === "string") && vector.length > 0;
  });
  return whole && vectors.length === texts ? undefined : "an answer without a vector for each text";
}

/** Sends requests to a server over HTTP/1.1, each in flight on a connection of its own. */
export function createHttpServerUnderLoad(
  options: LoadServerOptions & { readonly protocol: HttpProtocol },
): LoadServer {
  const { protocol, model, apiKey, timeoutMs } = options;
  const url = new URL(options.url);
  const head = [
    `POST ${url.pathname.replace(/\/+$/, "")}${paths[protocol]} HTTP/1.1`,
    `host: ${url.host}`,
    "content-type: application/json",
    "accept: application/json",
    ...(apiKey === undefined ? [] : [`authorization: Bearer ${apiKey}`]),
    "content-length: ",
  ].join("\r\n");
  const idle: HttpConnection[] = [];
  const open = new Set<HttpConnection>();
  let closed = false;

  const requestOf = (texts: readonly string[]): Buffer => {
    const input = texts.length === 1 ? texts[0] : texts;
    const body = JSON.stringify(
      protocol === "openai" ? { model, input, encoding_format: "base64" } : { model, inputs: texts },
    );
    return Buffer.from(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  const takeIdle = (): HttpConnection | undefined => {
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (connection.reusable) return connection;
      open.delete(connection);
    }
    return undefined;
  };

  return {
    async send(texts): Promise<SendResult> {
      const connection = takeIdle() ?? new HttpConnection();
      const timer = setTimeout(() => connection.close("timeout"), timeoutMs);
      try {
        if (!open.has(connection)) {
          open.add(connection);
          await connection.open(url);
        }
        if (closed) connection.close("stopped");
        const { status, body } = await connection.exchange(requestOf(texts));
        const fault = status === 200 ? faultOf(body, protocol, texts.length) : `HTTP ${status}`;
        return fault === undefined ? { kind: "ok" } : { kind: "failed", cause: fault };
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        return { kind: error.notReceived ? "refused" : "failed", cause: error.message };
      } finally {
        clearTimeout(timer);
        if (connection.reusable) idle.push(connection);
        else open.delete(connection);
      }
    },
    close() {
      closed = true;
      for (const connection of open) connection.close("stopped");
    },
  };
}
