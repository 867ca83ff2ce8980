import { useSignal } from "@preact/signals";
import { TextField } from "#platform/page/fields.tsx";
import { OrderDialog } from "./order-dialog.tsx";
import type { Order } from "./send-order.ts";
import { secondsOf, TimeField } from "./time-field.tsx";

/** Dialog that freezes the fleet. */
export function FreezeDialog({ onClose }: { readonly onClose: () => void }) {
  const why = useSignal("");
  const minutes = useSignal("60");
  const order = (): Order => {
    const reason = why.value.trim();
    if (reason === "")
      throw new Error("reason: expected a reason, shown to everyone who looks at the fleet, got nothing");
    const expiresInS = secondsOf(minutes.value, true);
    return { method: "POST", path: "/api/v1/freeze", body: { reason, ...(expiresInS === null ? {} : { expiresInS }) } };
  };
  return (
    <OrderDialog title="Freeze the fleet" verb="Freeze the fleet" order={order} onClose={onClose}>
      <TextField label="Why" name="why" text={why} maxLength={512} isRequired />
      <TimeField minutes={minutes} isOptional />
    </OrderDialog>
  );
}

/** Dialog that ends a freeze. */
export const ThawDialog = ({ onClose }: { readonly onClose: () => void }) => (
  <OrderDialog
    title="End the freeze"
    verb="End the freeze"
    order={() => ({ method: "DELETE", path: "/api/v1/freeze" })}
    onClose={onClose}
  />
);
