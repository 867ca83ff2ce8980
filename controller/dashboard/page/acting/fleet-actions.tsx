import { useSignal } from "@preact/signals";
import { safeText } from "#platform/page/safe-text.ts";
import { canOperate } from "#platform/page/session.ts";
import { timeText } from "#platform/page/time-zone.ts";
import { lazyView } from "../lazy-view.tsx";

const FreezeDialog = lazyView(async () => (await import("./freeze-dialog.tsx")).FreezeDialog);
const ThawDialog = lazyView(async () => (await import("./freeze-dialog.tsx")).ThawDialog);
const OverrideDialog = lazyView(async () => (await import("./override-dialog.tsx")).OverrideDialog);

interface FleetActionsProps {
  /** Freeze in force; null: none. */
  readonly freeze: { readonly reason: string; readonly untilMs: number | null } | null;
  /** Agents that an order is offered for, e.g. those that a filter shows; none: the user names them. */
  readonly agentIds?: readonly string[];
}

/** Freeze in force, and the buttons by which an operator acts on the fleet; none for a viewer. */
export function FleetActions({ freeze, agentIds = [] }: FleetActionsProps) {
  const open = useSignal<"override" | "drain" | "freeze" | "thaw" | null>(null);
  const isFrozen = freeze !== null;
  const close = () => {
    open.value = null;
  };
  return (
    <>
      {freeze === null ? null : (
        <p class="note warn">
          ▲ Frozen by an operator{" "}
          {freeze.untilMs === null ? "until it is ended" : `until ${timeText(freeze.untilMs, "day")}`}:{" "}
          {safeText(freeze.reason)}
        </p>
      )}
      {canOperate.value ? (
        <fieldset class="choice">
          <legend class="hidden">Act on the fleet</legend>
          <button type="button" onClick={() => (open.value = "override")}>
            Override…
          </button>
          <button type="button" onClick={() => (open.value = "drain")}>
            Drain…
          </button>
          <button type="button" onClick={() => (open.value = isFrozen ? "thaw" : "freeze")}>
            {isFrozen ? "End the freeze…" : "Freeze…"}
          </button>
        </fieldset>
      ) : null}
      {open.value === "override" ? (
        <OverrideDialog agentIds={agentIds} modes={[]} firstRole="" onClose={close} />
      ) : null}
      {open.value === "drain" ? (
        <OverrideDialog agentIds={agentIds} modes={[]} firstRole="draining" onClose={close} />
      ) : null}
      {/* Which of them was opened, not what the fleet is by now: it changes as soon as the order is given. */}
      {open.value === "freeze" ? <FreezeDialog onClose={close} /> : null}
      {open.value === "thaw" ? <ThawDialog onClose={close} /> : null}
    </>
  );
}
