import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import type { LoadServer, LoadServerOptions, SendResult } from "./load-server.ts";

const method = "/akidb.embedding.v1.EmbeddingService/Embed";

/** Maps an error. Only a refused connection is safe to retry: a call that broke may have been computed. */
function resultOf(error: ServiceError): SendResult {
  const name = status[error.code] ?? String(error.code);
  const refused = error.code === status.UNAVAILABLE && /No connection established|ECONNREFUSED/.test(error.details);
  if (refused) return { kind: "refused", cause: "ECONNREFUSED" };
  return { kind: "failed", cause: `gRPC ${name}` };
}

/** Sends requests to an agent over gRPC, all on one connection, as gRPC clients do. */
export function createGrpcServerUnderLoad(options: LoadServerOptions): LoadServer {
  const { model, apiKey, timeoutMs } = options;
  const url = new URL(options.url);
  const secure = url.protocol === "https:";
  const protos = loadProtos();
  const requestType = protos.type("akidb.embedding.v1.EmbedRequest");
  const responseType = protos.type("akidb.embedding.v1.EmbedResponse");
  const address = `${url.hostname}:${url.port || (secure ? 443 : 80)}`;
  const client = new Client(address, secure ? credentials.createSsl() : credentials.createInsecure(), {
    // Retries are this program's own, and counted.
    "grpc.enable_retries": 0,
    // Reconnects soon to a restarted server.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.max_receive_message_length": -1,
  });
  const metadata = new Metadata();
  if (apiKey !== undefined) metadata.set("authorization", `Bearer ${apiKey}`);

  const faultOf = (bytes: Buffer, texts: number): string | undefined => {
    try {
      const { embeddings } = responseType.decode(bytes) as unknown as { embeddings: { values: number[] }[] };
      const whole = embeddings.length === texts && embeddings.every(({ values }) => values.length > 0);
      return whole ? undefined : "an answer without a vector for each text";
    } catch {
      return "an answer that is not an EmbedResponse";
    }
  };

  return {
    send(texts) {
      const { promise, resolve } = Promise.withResolvers<SendResult>();
      client.makeUnaryRequest(
        method,
        (request: Buffer) => request,
        (answer: Buffer) => answer,
        Buffer.from(requestType.encode({ model, inputs: [...texts] }).finish()),
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error !== null) return resolve(resultOf(error));
          const fault = answer === undefined ? "an answer without a message" : faultOf(answer, texts.length);
          resolve(fault === undefined ? { kind: "ok" } : { kind: "failed", cause: fault });
        },
      );
      return promise;
    },
    close() {
      // Calls under way end with UNAVAILABLE or CANCELLED.
      client.close();
    },
  };
}
