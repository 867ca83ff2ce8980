import type { OrderRule } from "./decide-order.ts";

/** Returns why an order is not obeyed; null where it is, or is known already. */
export function explainOrder(
  rule: OrderRule,
  order: { readonly expiresAtMs: number } | null,
  nowMs: number,
): string | null {
  const time = (ms: number) => new Date(ms).toISOString();
  switch (rule) {
    case "unsigned":
      return "it is not signed, and this device obeys only its fleet's authority";
    case "forged":
      return "its signature is not that of this fleet's authority";
    case "expired":
      return `it expired ${time(order?.expiresAtMs ?? 0)}, and this device's clock says ${time(nowMs)}: if that is wrong, set it (timedatectl set-ntp true)`;
    case "replayed":
      return "a later order has already been obeyed: someone is replaying an old one, or the controller runs on a restored copy or a clock that was set back";
    default:
      return null;
  }
}
