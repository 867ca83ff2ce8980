import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import type { Logger } from "#platform/log.ts";
import type { HealthCheck } from "../ports.ts";
import type { ServingConfig } from "../serving-config.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { ServingView } from "./embedding-service.ts";

/** gRPC as it is served here, or why it is not. */
export interface GrpcFace {
  /** `host:port`; null where it is not served. */
  readonly address: string | null;
  /** For `/health`; none where gRPC is switched off. */
  checks(): Readonly<Record<string, HealthCheck>>;
  /** As the server's `stop`. */
  stop(graceMs: number): Promise<void>;
}

const defaultPort = 9090;

/** The port that is tried: an agent that takes any port for HTTP is one of several on its machine, and does so here too. */
function portFor({ port, grpc }: ServingConfig): number {
  return grpc.port ?? (port === 0 ? 0 : defaultPort);
}

/**
 * Serves gRPC as configured. Where nobody chose the port and something else has it (Prometheus' own is the same), the agent serves without
 * gRPC and says so in its log and in `/health`.
 * @throws UsageError when an address or port that was chosen can't be listened on.
 */
export async function openGrpc(parts: {
  readonly config: ServingConfig;
  /** The HTTP API's own, so that wrong keys count together. */
  readonly authenticator: Authenticator;
  readonly embedder: Embedder;
  readonly view: ServingView;
  readonly ready: () => boolean;
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
}): Promise<GrpcFace> {
  const { config, authenticator, embedder, view, ready, tracing, log } = parts;
  const { apiKeys, insecure, maxInputs, maxBodyBytes } = config;
  if (!config.grpc.enabled) return { address: null, checks: () => ({}), async stop() {} };
  // Not before it is needed: it takes its time, and an agent without gRPC has no use for it.
  const { GrpcPortInUseError, startGrpcServer } = await import("./grpc-server.ts");
  try {
    const server = await startGrpcServer({
      host: config.grpc.host ?? config.host,
      port: portFor(config),
      apiKeys,
      insecure,
      authenticator,
      maxInputs,
      maxMessageBytes: maxBodyBytes,
      messageMemoryBytes: Math.max(config.grpc.messageMemoryBytes, 4 * maxBodyBytes),
      maxConnections: config.grpc.maxConnections,
      embedder,
      view,
      ready,
      tracing,
      log,
    });
    log.info({ address: server.address }, "gRPC listens");
    return {
      address: server.address,
      checks: () => ({ grpc: { status: "healthy", detail: `served on ${server.address}` } }),
      stop: (graceMs) => server.stop(graceMs),
    };
  } catch (error) {
    if (config.grpc.port !== null || !(error instanceof GrpcPortInUseError)) throw error;
    const { message } = error;
    log.error({}, `serving without gRPC: ${message}`);
    return { address: null, checks: () => ({ grpc: { status: "degraded", detail: message } }), async stop() {} };
  }
}
