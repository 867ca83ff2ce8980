import type { Http2SecureServer, Http2Server } from "node:http2";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { ServiceError, UsageError } from "#platform/errors.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import type { ApiKey } from "#platform/http/guard/identify-caller.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import type { Logger } from "#platform/log.ts";
import { createGarbageCollection } from "#platform/process/collect-garbage.ts";
import { minuteMs } from "#platform/time.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { CallGate, callLimits } from "./call-gate.ts";
import { type ConnectionLimits, Connections, connectionLimits } from "./connections.ts";
import { embeddingRules, embeddingService, embeddingServiceName, type ServingView } from "./embedding-service.ts";
import { HealthService, healthRules, healthServiceName } from "./health-service.ts";
import { createMessageBudget } from "./message-budget.ts";
import { loadProtos } from "./protos.ts";
import { reflectionPackages, reflectionRules, reflectionService } from "./reflection-service.ts";
import { type MethodRule, methodRules, type ServiceRules, serviceDefinition } from "./service-definition.ts";

/** Parts of the agent that gRPC serves. */
export interface GrpcParts {
  /** Shared with the HTTP API, so that wrong keys are counted together. */
  readonly authenticator: Authenticator;
  readonly embedder: Embedder;
  readonly view: ServingView;
  /** True while requests for vectors are answered. */
  readonly ready: () => boolean;
  /** Error for a tenant that is beyond its limits, which is recorded; null: its call is let in. Default: no tenant has limits. */
  readonly refusalOf?: (tenant: string, bytes: number) => ServiceError | null;
  readonly tracing: Tracing | undefined;
  /** Encrypts. Default: nothing is encrypted. */
  readonly tls?: ServerCertificate | undefined;
  readonly log: Logger;
}

export interface GrpcServerOptions extends GrpcParts {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly apiKeys: readonly ApiKey[];
  readonly insecure: boolean;
  /** True: a key is needed although none is configured. */
  readonly hasIssuedKeys?: boolean;
  readonly rules: InputRules;
  readonly maxMessageBytes: number;
  /** Maximum memory of all messages, requests and answers. */
  readonly messageMemoryBytes: number;
  readonly maxConnections: number;
  /** Default: {@link callLimits} and {@link connectionLimits}. */
  readonly limits?: Partial<typeof callLimits & ConnectionLimits>;
}

export type GrpcServer = Awaited<ReturnType<typeof startGrpcServer>>;

/** Silent connections are pinged, and closed when they don't answer or have been idle for `maxIdleMs`. */
const keepaliveMs = minuteMs;
const keepaliveTimeoutMs = 20_000;
const maxIdleMs = 30 * minuteMs;
/** Maximum number of calls on one connection; the queue's limits apply to all connections together. */
const maxCallsPerConnection = 1024;
const sweepMs = 1_000;
/** Amount of garbage, from incomplete messages, between two collections. */
const garbageBytes = 32 * 1024 * 1024;

/** The address is in use, which ends the program only if the port was configured. */
export class GrpcPortInUseError extends UsageError {}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

function credentialsOf(tls: ServerCertificate | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key } = tls.current();
  return ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }], false);
}

function bind(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bracketed(host)}:${port}`, credentials, (cause, boundPort) => {
      if (cause === null) resolve(boundPort);
      else if (/EADDRINUSE|in use/.test(cause.message)) {
        const message =
          `gRPC port ${port} on ${host} is in use: stop the program that uses it, or set serving.grpc.port to another one ` +
          `(0: any), or serving.grpc.enabled to false`;
        reject(new GrpcPortInUseError(message, { cause }));
      } else reject(new UsageError(`gRPC can't listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
  });
}

/** The HTTP/2 server of a bound gRPC server. It is private to the library, but a call must be judged before the library reads its message. */
function http2ServerOf(server: Server): Http2Server {
  const servers: unknown = Reflect.get(server, "http2Servers");
  const [http2Server, ...more] = servers instanceof Map ? [...servers.keys()] : [];
  if (http2Server === undefined || more.length > 0) {
    throw new Error("grpc-js has no single HTTP/2 server in its field http2Servers. This is a bug.");
  }
  return http2Server as Http2Server;
}

/**
 * Serves gRPC: the embedding service, the standard health service and reflection.
 * @throws UsageError when the address or port can't be listened on.
 */
export async function startGrpcServer(options: GrpcServerOptions) {
  const { host, port, embedder, view, rules, authenticator, tracing, log } = options;
  assertListenAllowed("serving.grpc", options);
  // The library would write its own lines into the log; errors reach the log without it.
  setLogVerbosity(logVerbosity.NONE);
  const protos = loadProtos();
  const server = new Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_concurrent_streams": maxCallsPerConnection,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": maxIdleMs,
    // Its records of each connection and call are not used.
    "grpc.enable_channelz": 0,
  });
  const nowMs = () => performance.now();
  let gate: CallGate | undefined;
  const callOf: CallGate["callOf"] = (metadata) => {
    if (gate === undefined) throw new ServiceError("MODEL_UNAVAILABLE", "this agent is starting", { retryAfterS: 1 });
    return gate.callOf(metadata);
  };
  const reflectionNames = reflectionPackages.map((packageName) => `${packageName}.ServerReflection`);
  const services = [embeddingServiceName, healthServiceName, ...reflectionNames];
  const health = new HealthService(protos, services, options.ready);
  const methods: MethodRule[] = [];
  const add = (name: string, rules: ServiceRules, implementation: Parameters<Server["addService"]>[1]) => {
    const service = protos.service(name);
    methods.push(...methodRules(service, rules));
    server.addService(serviceDefinition(service), implementation);
  };
  add(
    embeddingServiceName,
    embeddingRules(options.maxMessageBytes),
    embeddingService({ protos, embedder, view, rules, callOf, tracing, log }),
  );
  add(healthServiceName, healthRules, health.implementation);
  for (const packageName of reflectionPackages) {
    add(`${packageName}.ServerReflection`, reflectionRules, reflectionService(protos, packageName, services));
  }
  const boundPort = await bind(server, host, port, credentialsOf(options.tls));
  const http2Server = http2ServerOf(server);
  options.tls?.onChange(() => {
    if (options.tls !== undefined) (http2Server as Http2SecureServer).setSecureContext(options.tls.current());
  });
  const limits = { ...callLimits, ...connectionLimits, ...options.limits };
  const connections = new Connections(
    { ...limits, maxConnections: options.maxConnections },
    { keysAsked: authenticator.keysRequired, nowMs, log },
  );
  connections.guard(http2Server);
  const budget = createMessageBudget(options.messageMemoryBytes, nowMs, createGarbageCollection(garbageBytes, nowMs));
  const opened = new CallGate({
    ...{ refusalOf: options.refusalOf },
    methods,
    authenticator,
    connections,
    budget,
    limits,
    nowMs,
  });
  opened.guard(http2Server);
  gate = opened;
  const sweeping = setInterval(() => {
    opened.sweep();
    connections.sweep();
  }, sweepMs);
  sweeping.unref();
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return {
    /** `host:port` for clients on this machine. */
    address: `${bracketed(reachable)}:${boundPort}`,
    methods,
    load: () => ({ connections: connections.count(), calls: opened.openCalls(), heldBytes: budget.heldBytes() }),
    /** Tells watching clients, accepts no more calls, waits up to `graceMs` for those in flight, then closes what is left. */
    async stop(graceMs: number): Promise<void> {
      health.stop();
      const ended = Promise.withResolvers<void>();
      server.tryShutdown(() => ended.resolve());
      const timer = setTimeout(ended.resolve, graceMs);
      await ended.promise;
      clearTimeout(timer);
      clearInterval(sweeping);
      server.forceShutdown();
    },
  };
}
