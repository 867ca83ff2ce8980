import type { EffectView } from "#controller/api/acting/read-effect.ts";
import { request } from "#platform/page/api-client.ts";

/** A change that the user is about to make: what is sent, with or without being done. */
export interface Order {
  readonly method: "POST" | "DELETE";
  readonly path: string;
  readonly body?: object;
}

/** Agent that was told of an order. */
export interface ToldAgent {
  readonly agentId: string;
  /** Version of what it was told; null: nothing has changed for it. */
  readonly version: number | null;
}

/** Header by which the reason of a change gets into the audit log; none for an empty one. */
export const reasonHeader = (reason: string): Readonly<Record<string, string>> =>
  reason.trim() === "" ? {} : { "x-thormesh-reason": encodeURIComponent(reason.trim()) };

/** Answer of the routes by which one acts. */
export interface OrderAnswer {
  /** Always there in a dry run. */
  readonly effect?: EffectView;
  readonly agents?: readonly ToldAgent[];
}

/**
 * Sends an order.
 * @param isDry true: only report the effect, change nothing
 * @param reason for the audit log; empty: none is given
 * @throws ApiError
 */
export async function sendOrder({ method, path, body }: Order, isDry: boolean, reason: string): Promise<OrderAnswer> {
  const dry = isDry ? { dryRun: true } : {};
  const answer = await request(method === "DELETE" && isDry ? `${path}?dryRun=true` : path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...reasonHeader(reason),
    },
    ...(body === undefined ? {} : { body: JSON.stringify({ ...body, ...dry }) }),
  });
  return (await answer.json()) as OrderAnswer;
}
