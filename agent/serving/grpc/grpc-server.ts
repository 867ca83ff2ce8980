import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { UsageError } from "#platform/errors.ts";
import type { ApiKey } from "#platform/http/identify-caller.ts";
import { assertListenAllowed } from "#platform/http/listen-address.ts";
import type { Logger } from "#platform/log.ts";
import type { Embedder } from "../embedder.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { embeddingService, embeddingServiceName, type ServingView } from "./embedding-service.ts";
import { healthService, healthServiceName } from "./health-service.ts";
import { loadProtos } from "./protos.ts";
import { reflectionPackages, reflectionService } from "./reflection-service.ts";
import { serviceDefinition } from "./service-definition.ts";

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly apiKeys: readonly ApiKey[];
  readonly insecure: boolean;
  readonly maxInputs: number;
  /** Of a request message. */
  readonly maxMessageBytes: number;
  readonly embedder: Embedder;
  readonly view: ServingView;
  /** Whether requests for vectors are answered now. */
  readonly ready: () => boolean;
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
}

export interface GrpcServer {
  /** `host:port`, as clients of this machine reach it. */
  readonly address: string;
  /** Tells those who watch, accepts no more calls, lets those in flight finish for up to `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** A connection that says nothing is asked whether it is still there, and closed when it doesn't answer or nothing was called for long. */
const keepaliveMs = 60_000;
const keepaliveTimeoutMs = 20_000;
const maxIdleMs = 30 * 60_000;
/** Calls at once on one connection; the queue's limits count over all of them. */
const maxCallsPerConnection = 1024;

/** The address is taken: whether that ends the program depends on whether it was asked for. */
export class GrpcPortInUseError extends UsageError {}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bracketed(host)}:${port}`, ServerCredentials.createInsecure(), (cause, boundPort) => {
      if (cause === null) resolve(boundPort);
      else if (/EADDRINUSE|in use/.test(cause.message)) {
        const message =
          `gRPC port ${port} on ${host} is in use: stop what listens there, or set serving.grpc.port to another one ` +
          `(0: any), or serving.grpc.enabled to false`;
        reject(new GrpcPortInUseError(message, { cause }));
      } else reject(new UsageError(`gRPC can't listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
  });
}

/**
 * Serves gRPC: the embedding service, the standard health service and reflection.
 * @throws UsageError when the address or port can't be listened on.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { host, port, embedder, view, maxInputs, apiKeys, tracing, log } = options;
  assertListenAllowed("serving.grpc", options);
  // It would write lines of its own between those of the log; what matters reaches the log as errors.
  setLogVerbosity(logVerbosity.NONE);
  const protos = loadProtos();
  const server = new Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_concurrent_streams": maxCallsPerConnection,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": maxIdleMs,
  });
  const reflectionNames = reflectionPackages.map((packageName) => `${packageName}.ServerReflection`);
  const services = [embeddingServiceName, healthServiceName, ...reflectionNames];
  const health = healthService(protos, services, options.ready);
  const add = (name: string, implementation: Parameters<Server["addService"]>[1]) =>
    server.addService(serviceDefinition(protos.service(name)), implementation);
  add(embeddingServiceName, embeddingService({ protos, embedder, view, maxInputs, apiKeys, tracing, log }));
  add(healthServiceName, health.implementation);
  for (const packageName of reflectionPackages) {
    add(`${packageName}.ServerReflection`, reflectionService(protos, packageName, services));
  }
  const boundPort = await bind(server, host, port);
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return {
    address: `${bracketed(reachable)}:${boundPort}`,
    async stop(graceMs) {
      health.stop();
      const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      let timer: ReturnType<typeof setTimeout> | undefined;
      const overdue = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([finished, overdue]);
      clearTimeout(timer);
      server.forceShutdown();
    },
  };
}
