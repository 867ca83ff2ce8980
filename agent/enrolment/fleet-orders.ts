import type { KeyObject } from "node:crypto";
import { type Static, Type } from "@sinclair/typebox";
import { keyHash } from "#platform/certificates/device-key.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";
import { bounds, TimeMs } from "#protocol/bounds.ts";
import { decodeText } from "#protocol/codec.ts";
import { parseCertificate } from "#protocol/identity/device-certificate.ts";
import { KeyHash } from "#protocol/identity/join-messages.ts";
import { isSealed, type OrderChannel } from "#protocol/identity/order-text.ts";
import type { Order } from "#protocol/messages.ts";
import { decideOrder, type OrderRule } from "./decide-order.ts";
import { explainOrder } from "./explain-order.ts";

const Position = strictObject({
  term: TimeMs,
  sequence: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
});

/** Last orders that were obeyed, of the authority they came from. */
const Positions = strictObject({
  authority: KeyHash,
  desired: orNull(Position),
  cmd: orNull(Position),
  access: Type.Optional(orNull(Position)),
});
type Positions = Static<typeof Positions>;

export type OrderRefusal = Exclude<OrderRule, "obeyed" | "repeated">;

/** Checks that orders to this device come from its fleet's authority and are not replayed. */
export interface FleetOrders {
  /** Returns whether a message is to be obeyed; one that is counts as the last of its channel. */
  take(channel: OrderChannel, message: { readonly order?: Order | undefined }, payload: Uint8Array): OrderRule;
  /** True for another agent's document that its fleet's authority signed. */
  isGenuine(channel: OrderChannel, payload: Uint8Array): boolean;
  /** Reason of a refusal, for people. */
  explain(rule: OrderRule, message: { readonly order?: Order | undefined }): string | null;
  /** Refusals since the start. */
  refused(): ReadonlyMap<OrderRefusal, number>;
  /** Last refusal of the past hour; null: none. */
  recentRefusal(): { readonly rule: OrderRefusal; readonly atMs: number } | null;
}

/** Checks nothing: this device has joined no fleet. */
export const anyOrders: FleetOrders = {
  take: () => "obeyed",
  isGenuine: () => true,
  explain: () => null,
  refused: () => new Map(),
  recentRefusal: () => null,
};

export function createFleetOrders(parts: {
  readonly fleet: string;
  /** Certificate of the fleet's authority. */
  readonly authority: string;
  readonly memory: { load(): string | null; save(text: string): void };
  readonly nowMs: () => number;
}): FleetOrders {
  const { fleet, memory, nowMs } = parts;
  const key: KeyObject = parseCertificate(parts.authority).publicKey;
  let positions = loadPositions(memory.load(), keyHash(key));
  const refused = new Map<OrderRefusal, number>();
  let last: { rule: OrderRefusal; atMs: number } | null = null;
  const isGenuine = (channel: OrderChannel, payload: Uint8Array) => isSealed(key, { fleet, channel }, payload);
  return {
    isGenuine,
    take(channel, { order = undefined }, payload) {
      const rule = decideOrder({
        ...{ order: order ?? null, held: positions[channel] ?? null, nowMs: nowMs() },
        isGenuine: order !== undefined && isGenuine(channel, payload),
      });
      if (rule === "obeyed" && order !== undefined) {
        positions = { ...positions, [channel]: { term: order.term, sequence: order.sequence } };
        memory.save(JSON.stringify(positions));
      } else if (rule !== "obeyed" && rule !== "repeated") {
        refused.set(rule, (refused.get(rule) ?? 0) + 1);
        last = { rule, atMs: nowMs() };
      }
      return rule;
    },
    explain: (rule, { order }) => explainOrder(rule, order ?? null, nowMs()),
    refused: () => refused,
    recentRefusal: () => (last !== null && Math.abs(nowMs() - last.atMs) <= hourMs ? last : null),
  };
}

/** Positions of an authority; those of another one count for nothing. */
function loadPositions(text: string | null, authority: string): Positions {
  const decoded = text === null ? null : decodeText(Positions, text);
  if (decoded?.ok === true && decoded.message.authority === authority) return decoded.message;
  return { authority, desired: null, cmd: null, access: null };
}
