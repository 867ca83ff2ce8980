import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, text } from "../bounds.ts";
import { described } from "./fields.ts";

/** Max rows of each list; the least used backends beyond it are counted together. */
export const maxMeshRows = 32;

const backend = (more: string) => described(text(128), `an agent's id or offer:NAME${more}`);

const RouteCount = Type.Object(
  {
    backend: backend(", home: this agent, none: nobody, (other): those beyond the list's length"),
    kind: described(text(32), "home, peer, none, or an offer's kind: spot, serverless, on-demand"),
    rule: described(text(32), "rule that chose it, or for which nobody did"),
    requests: described(count(bounds.requests), "requests that it answered; of none: that were refused"),
    usd: described(amount(bounds.usdPerMinute), "their price, US$"),
    evenUsd: described(
      amount(bounds.usdPerMinute),
      "their price on an even mix of the backends that could have been asked, US$",
    ),
  },
  strict,
);
export type RouteCount = Static<typeof RouteCount>;

export const MinuteMesh = Type.Object(
  {
    routes: Type.Array(RouteCount, {
      maxItems: maxMeshRows,
      description: "requests that had a choice of backends, by the one that answered and why; the most used first",
    }),
    retries: described(count(bounds.requests), "attempts after one that failed"),
    hedges: described(count(bounds.requests), "attempts beside one that was slow"),
    hops: Type.Array(
      Type.Object(
        {
          backend: backend(""),
          ms: described(amount(bounds.durationMs), "time of the way there and back, besides the work"),
        },
        strict,
      ),
      { maxItems: maxMeshRows, description: "backends of the routes whose way was measured" },
    ),
    ejected: Type.Array(Type.Object({ backend: backend(""), model: described(text(128), "id of the model") }, strict), {
      maxItems: maxMeshRows,
      description: "backends that are not asked now, because they failed",
    }),
  },
  {
    ...strict,
    description:
      "who answered the requests that this agent took in and had a choice for; shown, not stored; absent: none had, and none is ejected",
  },
);
export type MinuteMesh = Static<typeof MinuteMesh>;
