import { Registry } from "prom-client";
import {
  openGate,
  type PeerWork,
  type RefusedRequest,
  type RoleView,
  type ServedRequest,
  type TrafficSink,
} from "#agent/serving/ports.ts";
import { Serving } from "#agent/serving/serving.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import type { ServingOptions } from "#agent/serving/serving-options.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";

/** A JSON answer; what is in it is for the assertions to say. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Answer = Record<string, any>;

export interface RecordingSink extends TrafficSink {
  readonly served: ServedRequest[];
  readonly refused: RefusedRequest[];
  readonly work: PeerWork[];
}

export function recordingSink(): RecordingSink {
  return {
    served: [],
    refused: [],
    work: [],
    recordServed(request) {
      this.served.push(request);
    },
    recordRefused(request) {
      this.refused.push(request);
    },
    recordWork(work) {
      this.work.push(work);
    },
  };
}

export interface TestServing {
  readonly serving: Serving;
  readonly sink: RecordingSink;
  readonly role: { -readonly [K in keyof RoleView]: RoleView[K] };
  post(path: string, body: unknown): Promise<{ status: number; headers: Headers; body: Answer }>;
}

export type TestConfig = Partial<Omit<ServingConfig, "grpc">> & { readonly grpc?: Partial<ServingConfig["grpc"]> };

/** Times that a busy machine does not exceed, for tests of anything but deadlines. */
const unhurried = { queueMs: 3_600_000, requestTimeoutMs: 3_600_000, batchTimeoutMs: 600_000 };

/** The real thing on a free port of this machine, not yet started; unhurried and without gRPC unless `config` says otherwise. */
export function testServing(config: TestConfig = {}, parts: Partial<ServingOptions> = {}): TestServing {
  const sink = recordingSink();
  const role: TestServing["role"] = { role: "active", servingPeers: () => [] };
  const serving = new Serving({
    config: parseConfig(
      ServingConfig,
      { ...unhurried, port: 0, threads: 2, stopAnnounceMs: 0, grpc: { enabled: false }, ...config },
      "the test",
    ),
    log: createLogger("test", "silent"),
    clock: systemClock,
    gate: openGate,
    sink,
    role,
    metrics: new Registry(),
    version: "1.2.3",
    pulledModels: null,
    ...parts,
  });
  return {
    serving,
    sink,
    role,
    async post(path, body) {
      const response = await fetch(serving.url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Answer,
      };
    },
  };
}
