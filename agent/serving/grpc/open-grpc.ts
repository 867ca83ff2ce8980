import { needsIssuedKey } from "#agent/access/issued-keys.ts";
import type { HealthCheck } from "../ports.ts";
import type { ServingConfig } from "../serving-config.ts";
import type { GrpcParts } from "./grpc-server.ts";

/** The gRPC API, or the reason that it is not served. */
export interface GrpcApi {
  /** `host:port`; null where it is not served. */
  readonly address: string | null;
  /** Checks for `/health`; none where gRPC is disabled. */
  checks(): Readonly<Record<string, HealthCheck>>;
  /** Stops the server, with up to `graceMs` for calls in flight. */
  stop(graceMs: number): Promise<void>;
}

const defaultPort = 9090;

/** Port to try: an agent on any free HTTP port is one of several on its machine, and takes any free port here too. */
function portFor({ port, grpc }: ServingConfig): number {
  return grpc.port ?? (port === 0 ? 0 : defaultPort);
}

/**
 * Serves gRPC as configured. If the default port is in use (Prometheus has the same), the agent serves without gRPC and says so in its log and
 * in `/health`.
 * @throws UsageError when the address, or a configured port, can't be listened on.
 */
export async function openGrpc(config: ServingConfig, parts: GrpcParts): Promise<GrpcApi> {
  const { log } = parts;
  const { apiKeys, insecure, maxBodyBytes } = config;
  if (!config.grpc.enabled) return { address: null, checks: () => ({}), async stop() {} };
  // Imported late: loading takes time, and an agent without gRPC does not need it.
  const { GrpcPortInUseError, startGrpcServer } = await import("./grpc-server.ts");
  try {
    const server = await startGrpcServer({
      host: config.grpc.host ?? config.host,
      port: portFor(config),
      ...{ apiKeys, insecure, rules: config, hasIssuedKeys: needsIssuedKey(config) },
      maxMessageBytes: maxBodyBytes,
      messageMemoryBytes: Math.max(config.grpc.messageMemoryBytes, 4 * maxBodyBytes),
      maxConnections: config.grpc.maxConnections,
      ...parts,
    });
    log.info({ address: server.address }, "gRPC is served");
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
