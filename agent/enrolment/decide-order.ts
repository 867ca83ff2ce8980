import type { Order } from "#protocol/messages.ts";

/** Place of an order among all of its channel: by term, then by sequence. */
export type OrderPosition = Pick<Order, "term" | "sequence">;

export interface OrderInputs {
  /** Seal of the message; null: it has none. */
  readonly order: Order | null;
  readonly isGenuine: boolean;
  /** Position of the last order that was obeyed; null: none yet. */
  readonly held: OrderPosition | null;
  readonly nowMs: number;
}

export type OrderRule =
  | "obeyed"
  /** The last one came once more, as brokers deliver what they retain on every connection. */
  | "repeated"
  | "unsigned"
  | "forged"
  | "expired"
  | "replayed";

/** Decides whether an agent that has joined obeys a message. */
export function decideOrder({ order, isGenuine, held, nowMs }: OrderInputs): OrderRule {
  if (order === null) return "unsigned";
  if (!isGenuine) return "forged";
  if (held !== null) {
    if (order.term === held.term && order.sequence === held.sequence) return "repeated";
    const isNewer = order.term > held.term || (order.term === held.term && order.sequence > held.sequence);
    if (!isNewer) return "replayed";
  }
  return order.expiresAtMs < nowMs ? "expired" : "obeyed";
}
