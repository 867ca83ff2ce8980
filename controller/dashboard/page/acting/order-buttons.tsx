import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { canOperate } from "#platform/page/session.ts";
import { OverrideDialog } from "./override-dialog.tsx";

/** Dialog of an order, and the words on its button. */
export interface OrderButton {
  readonly word: string;
  readonly Dialog: ComponentType<{ readonly onClose: () => void }>;
}

interface OrderButtonsProps {
  readonly label: string;
  /** Agents that orders are offered for; none: the user names them. */
  readonly agentIds: readonly string[];
  /** Power modes that can be chosen; empty: they are typed. */
  readonly modes: readonly string[];
  /** Order besides those that all have; null: none. */
  readonly more: OrderButton | null;
}

/** Buttons by which an operator acts, with their dialogs; nothing for a viewer. */
export function OrderButtons({ label, agentIds, modes, more }: OrderButtonsProps) {
  // The dialog that was opened, not what can be ordered by now: that changes as soon as the order is given.
  const [open, setOpen] = useState<{ readonly Dialog: OrderButton["Dialog"] | null; readonly isDrain: boolean } | null>(
    null,
  );
  if (!canOperate.value) return null;
  const close = () => setOpen(null);
  return (
    <>
      <fieldset class="choice">
        <legend class="hidden">{label}</legend>
        <button type="button" onClick={() => setOpen({ Dialog: null, isDrain: false })}>
          Override…
        </button>
        <button type="button" onClick={() => setOpen({ Dialog: null, isDrain: true })}>
          Drain…
        </button>
        {more === null ? null : (
          <button type="button" onClick={() => setOpen({ Dialog: more.Dialog, isDrain: false })}>
            {more.word}
          </button>
        )}
      </fieldset>
      {open === null ? null : open.Dialog === null ? (
        <OverrideDialog agentIds={agentIds} modes={modes} firstRole={open.isDrain ? "draining" : ""} onClose={close} />
      ) : (
        <open.Dialog onClose={close} />
      )}
    </>
  );
}
