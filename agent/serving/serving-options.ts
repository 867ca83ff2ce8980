import type { AnyElysia } from "elysia";
import type { Registry } from "prom-client";
import type { QuotaUse } from "#agent/access/quota-use.ts";
import type { Clock } from "#platform/clock.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import type { GpuMonitor } from "./gpu/gpu-monitor.ts";
import type { MeshEntry } from "./mesh-entry.ts";
import type { HealthCheck, RoleView, TrafficSink } from "./ports.ts";
import type { PoolOptions } from "./residency/create-model-pool.ts";
import type { Tracing } from "./tracing/tracing.ts";

/** Parts and settings that serving is made of. */
export interface ServingOptions extends PoolOptions {
  readonly clock: Clock;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: Registry;
  readonly version: string;
  /** Undefined: requests are not traced. */
  readonly tracing?: Tracing | undefined;
  /** Default: by nvidia-smi. */
  readonly gpus?: GpuMonitor;
  readonly extraChecks?: () => Readonly<Record<string, HealthCheck>>;
  /** More routes under the same address, key and error shapes. */
  readonly extraRoutes?: readonly AnyElysia[];
  /** By which the controller divides limits. Default: none. */
  readonly agentId?: string;
  /** Tenants and keys that the controller told of. Default: none. */
  readonly access?: IssuedKeys & { tenant(name: string): TenantAccess | undefined; readonly quotaUse: QuotaUse };
  /** Encrypts the HTTP API and gRPC. Default: nothing is encrypted. */
  readonly tls?: ServerCertificate | undefined;
  /** Answers requests here or elsewhere. Default: here. */
  readonly mesh?: MeshEntry;
}
