import type { AnyElysia } from "elysia";
import type { Registry } from "prom-client";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { Home } from "#agent/serving/admission/home.ts";
import { hopsHeader } from "#agent/serving/http/embedding-requests.ts";
import type { MeshEntry } from "#agent/serving/mesh-entry.ts";
import { UsageError } from "#platform/errors.ts";
import { readSecretFile } from "#platform/files/read-secret-file.ts";
import { type ApiKey, keyText } from "#platform/http/guard/identify-caller.ts";
import { secretOfKeys, verifyPeerRequest } from "#platform/http/guard/peer-signature.ts";
import type { MinuteMesh } from "#protocol/messages.ts";
import { ownValue } from "#protocol/own-value.ts";
import type { MeshConfig } from "./mesh-config.ts";
import { createMeshMetrics } from "./mesh-metrics.ts";
import { type MeshStatus, meshStatusRoutes, peerRoutes } from "./mesh-routes.ts";
import { MinuteRoutes } from "./minute-routes.ts";
import type { PeerCertificates } from "./peer-certificates.ts";
import { Backends } from "./routing/backends.ts";
import { type LoadReport, loadHeader, writeLoadReport } from "./routing/load-report.ts";
import { peerPath } from "./routing/peer-message.ts";
import { RateMeter } from "./routing/rate-meter.ts";
import type { MeshPeer } from "./routing/remote.ts";
import { RemoteClient } from "./routing/remote-client.ts";
import { RoutedEmbedder, type RouteEvent } from "./routing/routed-embedder.ts";

export interface MeshParts {
  readonly config: MeshConfig;
  readonly agentId: string;
  readonly region: string;
  readonly apiKeys: readonly ApiKey[];
  readonly requestTimeoutMs: number;
  readonly maxInputs: number;
  readonly peers: () => readonly MeshPeer[];
  /** Texts per second that this agent carries of a model in its present mode; null: unknown. */
  readonly capacityQps: (model: string) => number | null;
  /** Price of a request by this device's electricity; null: unknown. */
  readonly electricityUsd: (model: string) => number | null;
  /** Regions in which a tenant's texts may be computed, as the controller told; null: any. Default: any. */
  readonly regionsOf?: (tenant: string) => readonly string[] | null;
  /** Certificates by which the fleet's agents know each other; null, as by default: this device has not joined. */
  readonly certificates?: PeerCertificates | null;
  readonly metrics: Registry;
}

/** Newest routes that are kept for people. */
const routesKept = 100;
const figuresValidMs = 1_000;
const maxModels = 64;

/** This agent's part in the mesh: answering for others, and asking others when it can't answer in time. */
export class Mesh implements MeshEntry {
  readonly peers: MeshEntry["peers"];
  readonly #parts: MeshParts;
  readonly #mustBePeer: () => boolean;
  readonly #backends: Backends;
  readonly #client: RemoteClient;
  readonly #routes: RouteEvent[] = [];
  readonly #minute = new MinuteRoutes();
  readonly #rates = new Map<string, RateMeter>();
  readonly #figures = new Map<
    string,
    { readonly capacityQps: number | null; readonly usdPerRequest: number | null; readonly atMs: number }
  >();
  readonly #metrics: ReturnType<typeof createMeshMetrics>;
  #home: Home | undefined;

  /** @throws UsageError when a key file can't be read, or others can read it. */
  constructor(parts: MeshParts) {
    const { config, agentId, apiKeys, metrics } = parts;
    this.#parts = parts;
    const secret =
      config.keyFile === null ? secretOfKeys(apiKeys.map(keyText)) : readSecret(config.keyFile, "mesh.keyFile");
    const { certificates = null } = parts;
    const verify = (authorization: string | null) => {
      const proven = certificates?.verify(authorization) ?? null;
      if (proven !== null || secret === null || certificates?.areRequired() === true) return proven;
      return verifyPeerRequest(authorization, secret, peerPath, Date.now());
    };
    this.peers = secret === null && certificates === null ? null : { path: peerPath, verify };
    this.#mustBePeer = () => secret !== null || certificates?.areRequired() === true;
    const keys = new Map(
      config.offers.map(({ name, keyFile }) => [
        name,
        keyFile === null ? null : readSecret(keyFile, `mesh.offers: ${name}: keyFile`),
      ]),
    );
    refuseTwins(config.offers.map(({ name }) => name));
    this.#client = new RemoteClient({
      ...{ ownId: agentId, secret, peerNetworks: config.peerNetworks, certificates },
      offerKey: (name) => keys.get(name) ?? null,
      modelHere: (model) => this.#home?.model(model) ?? null,
      nowMs: Date.now,
    });
    this.#backends = new Backends({
      config,
      ownId: agentId,
      peers: parts.peers,
      nowMs: () => performance.now(),
      random: Math.random,
    });
    this.#metrics = createMeshMetrics(metrics, () => this.#backends.describe());
  }

  /** Returns true for an address that a peer may have. */
  isPeerAddress(url: string): boolean {
    return this.#client.isPeerAddress(url);
  }

  answerHeaders({ method, headers }: Request): Readonly<Record<string, string>> | null {
    // Routes that are open without a key are asked by GET.
    if (method !== "POST" || !headers.has(hopsHeader) || this.#home === undefined) return null;
    const model = this.#home.model(undefined);
    return { [loadHeader]: writeLoadReport(this.#load(model?.id ?? "", this.#home)) };
  }

  notReadyReason(): string | null {
    const { config, peers } = this.#parts;
    if (config.forward === "never") return "this agent has no model, and mesh.forward is never";
    const known = peers().length + config.offers.length;
    return known > 0 ? null : "this agent has no model, and no other agent that serves one is known";
  }

  /** Fingerprint of a model's vectors, or the name that the configuration gives them. */
  spaceOf(id: string, own: string): string {
    return ownValue(this.#parts.config.spaces, id) ?? own;
  }

  /** Price of a request that this device answers; null: unknown. */
  usdPerRequest(model: string): number | null {
    return this.#parts.config.usdPerRequest ?? this.#parts.electricityUsd(model);
  }

  /** Capacity and price of a model here, looked up once a second. */
  #figuresOf(model: string): { readonly capacityQps: number | null; readonly usdPerRequest: number | null } {
    const nowMs = performance.now();
    const known = this.#figures.get(model);
    if (known !== undefined && nowMs - known.atMs < figuresValidMs) return known;
    const figures = {
      capacityQps: this.#parts.capacityQps(model),
      usdPerRequest: this.usdPerRequest(model),
      atMs: nowMs,
    };
    if (this.#figures.size > maxModels) this.#figures.clear();
    this.#figures.set(model, figures);
    return figures;
  }

  route(own: Home): Embedder {
    const { config, region, requestTimeoutMs } = this.#parts;
    const home = this.#metered(own);
    this.#home = home;
    return new RoutedEmbedder({
      ...{ config, region, requestTimeoutMs, home },
      regionsOf: (tenant) => ownValue(config.residency, tenant) ?? this.#parts.regionsOf?.(tenant) ?? null,
      homeCapacity: (model) => ({
        capacityQps: this.#figuresOf(model).capacityQps,
        utilization: this.#utilization(model) ?? 0,
        usdPerRequest: this.#figuresOf(model).usdPerRequest ?? 0,
      }),
      backends: this.#backends,
      client: this.#client,
      onRoute: (event) => {
        this.#metrics.route(event);
        this.#minute.add(event);
        this.#routes.unshift(event);
        if (this.#routes.length > routesKept) this.#routes.pop();
      },
      onExtra: (kind) => {
        this.#metrics.extra(kind);
        this.#minute.extra(kind);
      },
      nowMs: Date.now,
      random: Math.random,
    });
  }

  routes(own: Home): readonly AnyElysia[] {
    const { maxInputs } = this.#parts;
    const home = this.#home ?? this.#metered(own);
    return [peerRoutes({ home, maxInputs, mustBePeer: this.#mustBePeer, load: (model) => this.#load(model, home) })];
  }

  /** Routes of the agent's state, for people. */
  statusRoutes(): AnyElysia {
    return meshStatusRoutes(() => this.status());
  }

  status(): MeshStatus {
    return { forward: this.#parts.config.forward, backends: this.#backends.describe(), routes: [...this.#routes] };
  }

  /** Takes what was counted since the last call, for the minute's record; null: nothing, and no backend is left out. */
  takeMinute(): MinuteMesh | null {
    return this.#minute.take(this.#backends.describe());
  }

  /** Counts what this agent computes, for its utilisation, and names the vectors as configured. */
  #metered(own: Home): Home {
    const measured = (request: Parameters<Home["embed"]>[0]) => {
      const id = own.model(request.model)?.id;
      if (id !== undefined) this.#rateOf(id).add(request.inputs.length);
      return request;
    };
    return {
      embed: (request) => own.embed(measured(request)),
      attempt: (request) => own.attempt(measured(request)),
      tokenize: (request) => own.tokenize(request),
      inFlight: () => own.inFlight(),
      queueDepth: () => own.queueDepth(),
      model: (name) => {
        const model = own.model(name);
        return model === null ? null : { ...model, space: this.spaceOf(model.id, model.space) };
      },
      load: (model, request, tokens) => own.load(model, request, tokens),
      recordElsewhere: (...answered) => own.recordElsewhere(...answered),
      recordRefused: (request, error, startedMs) => own.recordRefused(request, error, startedMs),
    };
  }

  #load(model: string, home: Home): LoadReport {
    return {
      queued: home.queueDepth(),
      computing: home.inFlight(),
      capacityQps: this.#figuresOf(model).capacityQps,
      utilization: this.#utilization(model),
    };
  }

  #utilization(model: string): number | null {
    const { capacityQps } = this.#figuresOf(model);
    if (capacityQps === null || capacityQps === 0) return null;
    return this.#rateOf(model).perS() / capacityQps;
  }

  #rateOf(model: string): RateMeter {
    let rate = this.#rates.get(model);
    if (rate === undefined) {
      rate = new RateMeter(() => performance.now());
      this.#rates.set(model, rate);
    }
    return rate;
  }
}

function readSecret(path: string, name: string): string {
  const text = readSecretFile(path, name).trim();
  if (text === "") throw new UsageError(`${name}: expected a key, got an empty file (${path})`);
  return text;
}

/** @throws UsageError for a name that two offers have. */
function refuseTwins(names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin !== undefined) throw new UsageError(`mesh.offers: expected unique names, got "${twin}" twice`);
}
