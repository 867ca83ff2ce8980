import type { AnyElysia } from "elysia";
import type { PeerAccess } from "#platform/http/guard/authenticate.ts";
import type { Embedder } from "./admission/embedder.ts";
import type { Home } from "./admission/home.ts";

/** The part of the mesh that stands before this agent's own service. */
export interface MeshEntry {
  /** Returns what all APIs ask instead of this agent's own service. */
  route(home: Home): Embedder;
  /** Returns routes for other agents. */
  routes(home: Home): readonly AnyElysia[];
  /** Returns headers of the answer to a request that an agent of another fleet sent; null for all others. */
  answerHeaders(request: Request): Readonly<Record<string, string>> | null;
  /** Reason that no request can be passed on now; null where one can. */
  notReadyReason(): string | null;
  /** Requests that other agents prove to be theirs; null: none are accepted. */
  readonly peers: PeerAccess | null;
}
