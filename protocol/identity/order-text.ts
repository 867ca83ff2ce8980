import type { KeyObject } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import type { Order } from "../messages/order.ts";
import { isSignedBy, signText } from "./signed-statement.ts";

/** Channels of orders to agents. */
export type OrderChannel = "desired" | "cmd" | "access";

/** Text that is signed: all of a message but the signature, bound to the fleet and the channel. */
function orderText(fleet: string, channel: OrderChannel, message: object): string {
  const { order, ...rest } = message as { readonly order?: Partial<Order> };
  const { signature: _, ...position } = order ?? {};
  return `${fleet}\n${channel}\n${canonicalJson({ ...rest, order: position })}`;
}

/** Adds an order to a message, signed with the authority's key. */
export function sealOrder<T extends object>(
  key: KeyObject,
  to: { readonly fleet: string; readonly channel: OrderChannel },
  message: T,
  position: Omit<Order, "signature">,
): T & { readonly order: Order } {
  const text = orderText(to.fleet, to.channel, { ...message, order: position });
  return { ...message, order: { ...position, signature: signText(key, "order", text) } };
}

/** True when the authority signed a message as it came, fields of later versions included. @param payload bytes of JSON */
export function isSealed(
  authority: KeyObject,
  to: { readonly fleet: string; readonly channel: OrderChannel },
  payload: Uint8Array,
): boolean {
  try {
    const message = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)) as {
      readonly order?: { readonly signature?: unknown };
    };
    const signature = message.order?.signature;
    if (typeof signature !== "string") return false;
    return isSignedBy(authority, "order", orderText(to.fleet, to.channel, message), signature);
  } catch {
    return false;
  }
}
