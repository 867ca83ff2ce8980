import { connect } from "node:http2";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from "#agent/serving/grpc/grpc-server.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createLogger } from "#platform/log.ts";
import {
  callHeaders,
  flag,
  frame,
  type RawConnection,
  writeFrame,
  writeHeaders,
} from "../../../fakes/grpc/raw-connection.ts";

export const key = "a-key-of-some-length";
export const keyHeader = ["authorization", `Bearer ${key}`] as const;

/** An embedder that makes each text the same vector of `dimension` values. */
export function sameVectors(dimension = 384): Embedder {
  const vector = new Float32Array(dimension).fill(0.5);
  return {
    embed: async ({ inputs }) => ({
      model: "same",
      dimension,
      relevantLabel: 0,
      vectors: inputs.map(() => vector),
      tokens: inputs.length,
      truncatedInputs: 0,
      durationMs: 1,
    }),
    tokenize: () => Promise.reject(new Error("not asked")),
    inFlight: () => 0,
    queueDepth: () => 0,
  };
}

/** The server alone, on a free port, with a key unless told otherwise. */
export function startGrpc(options: Partial<GrpcServerOptions> = {}): Promise<GrpcServer> {
  const log = createLogger("test", "silent");
  const apiKeys = options.apiKeys ?? [key];
  return startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    apiKeys,
    authenticator: createAuthenticator({ apiKeys, log }),
    insecure: false,
    rules: { maxInputs: 2_048, emptyTexts: "refuse" },
    maxMessageBytes: 4 * 1024 * 1024,
    messageMemoryBytes: 16 * 1024 * 1024,
    maxConnections: 100,
    embedder: sameVectors(),
    view: { health: () => ({ status: "healthy", checks: {}, details: {}, version: "1" }), models: async () => [] },
    ready: () => true,
    tracing: undefined,
    log,
    ...options,
  });
}

export interface Ending {
  /** Null where none was told. */
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly message: string;
}

/** Sends `body`, and its end with it unless `open`; returns the end of the call. */
export async function callOnce(
  address: string,
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
  body: Uint8Array = Buffer.alloc(5),
  options: { readonly open?: boolean } = {},
): Promise<Ending> {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let ending: Ending = { status: null, errorCode: null, message: "" };
  const look = (came: Readonly<Record<string, unknown>>) => {
    if (came["grpc-status"] === undefined) return;
    ending = {
      status: Number(came["grpc-status"]),
      errorCode: (came["error-code"] as string | undefined) ?? null,
      message: decodeURI(String(came["grpc-message"] ?? "")),
    };
  };
  const closed = new Promise<void>((resolve) => {
    stream.on("response", look);
    stream.on("trailers", look);
    stream.on("error", () => {});
    stream.on("close", resolve);
  });
  stream.resume();
  if (options.open === true) stream.write(body);
  else stream.end(body);
  await closed;
  session.close();
  return ending;
}

/** Opens a stream for a method and sends nothing more. */
export function openStream(
  connection: RawConnection,
  stream: number,
  method: string,
  more: readonly (readonly [string, string])[] = [],
): Promise<boolean> {
  return connection.send(writeFrame(frame.headers, flag.endHeaders, stream, writeHeaders(callHeaders(method, more))));
}
