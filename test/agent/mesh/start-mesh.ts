import { Value } from "@sinclair/typebox/value";
import { Registry } from "prom-client";
import { Mesh } from "#agent/mesh/mesh.ts";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import type { PeerCertificates } from "#agent/mesh/peer-certificates.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";
import type { ServingOptions } from "#agent/serving/serving-options.ts";
import { type TestConfig, type TestServing, testServing } from "../serving/start-serving.ts";

export const model = "all-MiniLM-L6-v2";

/** An agent of a mesh, as far as requests go. */
export interface Member extends TestServing {
  readonly id: string;
  /** Peers that it knows; tests change them. */
  peers: MeshPeer[];
  readonly mesh: Mesh;
}

/** Agents and stand-ins of a test file, which ends them. */
export class TestMesh {
  readonly members: Member[] = [];
  readonly #upstreams: { stop(closeActiveConnections?: boolean): unknown }[] = [];

  async start(
    id: string,
    config: Partial<MeshConfig> = {},
    serving: TestConfig = {},
    { certificates = null, ...parts }: Partial<ServingOptions> & { certificates?: PeerCertificates | null } = {},
  ): Promise<Member> {
    const metrics = new Registry();
    const known: { peers: MeshPeer[] } = { peers: [] };
    const mesh = new Mesh({
      config: Value.Parse(MeshConfig, config) as MeshConfig,
      ...{ agentId: id, region: "eu", apiKeys: serving.apiKeys ?? [], requestTimeoutMs: 60_000, maxInputs: 2048 },
      peers: () => known.peers,
      capacityQps: () => 100,
      electricityUsd: () => null,
      certificates,
      metrics,
    });
    const server = testServing(
      { threads: 1, cacheBytes: 0, ...serving },
      { mesh, metrics, extraRoutes: [mesh.statusRoutes()], ...parts },
    );
    await server.serving.start();
    const member = Object.assign(known, server, { id, mesh });
    this.members.push(member);
    return member;
  }

  /** Starts a server that answers as it is told. @returns its address */
  upstream(answer: (request: Request) => Response | Promise<Response>): string {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    this.#upstreams.push(server);
    return `http://127.0.0.1:${server.port}`;
  }

  stopUpstreams(): void {
    for (const upstream of this.#upstreams.splice(0)) upstream.stop(true);
  }

  async stop(): Promise<void> {
    this.stopUpstreams();
    await Promise.all(this.members.map(({ serving }) => serving.stop()));
  }
}

export const spaceOf = ({ serving, mesh }: Member) => {
  const [loaded] = serving.loadedModels();
  return mesh.spaceOf(model, loaded?.space ?? "");
};

/** A member as its peers see it. */
export const asPeer = (member: Member, changes: Partial<MeshPeer> = {}): MeshPeer => ({
  ...{ agentId: member.id, bootId: "boot", url: member.serving.url, region: "eu" },
  spaces: { [model]: spaceOf(member) },
  ...{ qps: 100, usdPerRequest: null, silent: false },
  ...changes,
});

/** A peer that makes a member's vectors, as it says. */
export const fakePeer = (like: Member, id: string, url: string, changes: Partial<MeshPeer> = {}): MeshPeer => ({
  ...asPeer(like),
  ...{ agentId: id, url },
  ...changes,
});

export const ask = (member: Pick<Member, "serving">, text: string, headers: Record<string, string> = {}) =>
  fetch(`${member.serving.url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model, input: text }),
  });

export const servedBy = (response: Response) => response.headers.get("x-thormesh-served-by");
