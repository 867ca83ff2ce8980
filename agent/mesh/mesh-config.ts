import { type Static, Type } from "@sinclair/typebox";
import { integer, number, orNull, Path } from "#platform/config-fields.ts";
import { literals, strict } from "#platform/schema-parts.ts";
import { amount, httpUrlPattern, TenantName } from "#protocol/bounds.ts";
import { offerKinds } from "#protocol/messages.ts";

const Region = Type.String({ minLength: 1, maxLength: 64 });
const maxUsd = 1000;

/** A place outside the fleet that answers for a price. */
export const MeshOffer = Type.Object(
  {
    name: Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$", description: "name of the offer, in metrics and reasons" }),
    kind: { ...literals(...offerKinds), description: "how it is paid for" },
    url: Type.String({
      pattern: httpUrlPattern,
      maxLength: 2048,
      title: "http:// or https://, a host, optionally a port and a path; no user, no query",
      description: "base address; requests go to URL/v1/embeddings, as OpenAI's clients send them",
    }),
    keyFile: orNull(Path, "a file with its API key, readable only by this user or root (0600); null: none is needed"),
    models: Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ minLength: 1, maxLength: 128 }), {
      default: {},
      maxProperties: 64,
      description:
        "its name for each model it serves, by the model's id here; listing one declares that their vectors are comparable",
    }),
    usdPerRequest: Type.Number({ default: 0, minimum: 0, maximum: maxUsd, description: "price of a request" }),
    usdPerMillionTokens: Type.Number({ default: 0, minimum: 0, maximum: 1e6, description: "price of its tokens" }),
    region: Type.String({ default: "", maxLength: 64, description: "region where it computes" }),
    capacityQps: number(1000, [0.001, 1e6], "texts per second that it carries"),
    latencyMs: number(50, [0.1, 60_000], "assumed time to an answer until it has been measured"),
  },
  strict,
);
export type MeshOffer = Static<typeof MeshOffer>;

export const MeshConfig = Type.Object(
  {
    forward: {
      ...literals("when-needed", "never"),
      default: "when-needed",
      description:
        "when-needed: a request that this agent can't answer in time, or that another answers more cheaply, is passed on; never: it is answered here or refused",
    },
    usdPerRequest: orNull(
      amount(maxUsd),
      "price of a request answered by this device; null: from its electricity under load",
    ),
    targetMs: number(
      50,
      [0.1, 3_600_000],
      "time within which a request should be answered if its client names none; a slower backend is used only if there is no other",
    ),
    late: {
      ...literals("try", "refuse"),
      default: "try",
      description: "what happens to a request that no backend is expected to answer in time",
    },
    hedge: Type.Boolean({
      default: true,
      description: "ask a second backend when the first takes longer than 95 % of such requests did",
    }),
    keyFile: orNull(
      Path,
      "a file with the secret with which the fleet's agents recognise each other's requests, the same on all (0600); null: derived from serving.apiKeys",
    ),
    peerNetworks: Type.Array(Type.String({ minLength: 2, maxLength: 64, title: "a network, such as 10.0.0.0/8" }), {
      default: [],
      maxItems: 64,
      description: "networks of the fleet's agents; requests are sent to peers only at addresses in these. Empty: any",
    }),
    maxPeers: integer(20, [1, 1000], "maximum number of agents that requests are sent to, per model"),
    offers: Type.Array(MeshOffer, {
      default: [],
      maxItems: 32,
      description: "offers outside the fleet that answer requests for a price",
    }),
    spaces: Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ minLength: 1, maxLength: 64 }), {
      default: {},
      maxProperties: 64,
      description:
        "a name for the vectors of a model, by its id: agents with the same name answer for each other although their files differ; others: a fingerprint of the files",
    }),
    residency: Type.Record(TenantName, Type.Array(Region, { minItems: 1, maxItems: 64 }), {
      default: {},
      maxProperties: 256,
      additionalProperties: false,
      description: "regions in which a tenant's texts may be computed, by tenant; others: any",
    }),
    peerRegions: Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Region, {
      default: {},
      maxProperties: 10_000,
      description: "regions of agents by id, for tenants with a residency: what a peer says of itself does not count",
    }),
  },
  { ...strict, default: {}, description: "Requests between the fleet's agents, and to offers outside." },
);
export type MeshConfig = Static<typeof MeshConfig>;
