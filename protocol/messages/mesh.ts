import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, text } from "../bounds.ts";
import { described } from "./fields.ts";

/** Maximum rows of each list; the least used backends beyond it are counted together. */
export const maxMeshRows = 32;

const backend = (more: string) => described(text(128), `an agent's id or offer:NAME${more}`);

const RouteCount = Type.Object(
  {
    backend: backend(", home: this agent, none: no backend, (other): those beyond the list's length"),
    kind: described(text(32), "home, peer, none, or an offer's kind: spot, serverless, on-demand"),
    rule: described(text(32), "rule by which it was chosen, or no backend was"),
    requests: described(count(bounds.requests), "requests that it answered; for none: requests that were refused"),
    usd: described(amount(bounds.usdPerMinute), "their price, US$"),
    evenUsd: described(amount(bounds.usdPerMinute), "their price for an even mix of the available backends, US$"),
  },
  strict,
);
export type RouteCount = Static<typeof RouteCount>;

export const MinuteMesh = Type.Object(
  {
    routes: Type.Array(RouteCount, {
      maxItems: maxMeshRows,
      description: "requests that had a choice of backends, by the one that answered and the rule; most used first",
    }),
    retries: described(count(bounds.requests), "attempts after one that failed"),
    hedges: described(count(bounds.requests), "attempts made in parallel with a slow one"),
    hops: Type.Array(
      Type.Object(
        {
          backend: backend(""),
          ms: described(amount(bounds.durationMs), "round-trip time without the work"),
        },
        strict,
      ),
      { maxItems: maxMeshRows, description: "backends whose round-trip time was measured" },
    ),
    ejected: Type.Array(Type.Object({ backend: backend(""), model: described(text(128), "id of the model") }, strict), {
      maxItems: maxMeshRows,
      description: "backends avoided at present because they failed",
    }),
  },
  {
    ...strict,
    description:
      "which backends answered the requests that this agent received and had a choice for; shown, not stored; absent: there were none, and no backend is avoided",
  },
);
export type MinuteMesh = Static<typeof MinuteMesh>;
