import { useSignal } from "@preact/signals";
import { canOperate } from "#platform/page/session.ts";
import { OrderDialog } from "./order-dialog.tsx";
import { OverrideDialog } from "./override-dialog.tsx";

interface AgentActionsProps {
  readonly agentId: string;
  readonly modes: readonly string[];
  /** True while an operator's override is in force. */
  readonly isOverridden: boolean;
}

/** Buttons by which an operator acts on one agent; nothing for a viewer. */
export function AgentActions({ agentId, modes, isOverridden }: AgentActionsProps) {
  const open = useSignal<"override" | "drain" | "end" | null>(null);
  if (!canOperate.value) return null;
  const close = () => {
    open.value = null;
  };
  return (
    <>
      <fieldset class="choice">
        <legend class="hidden">Act on this agent</legend>
        <button type="button" onClick={() => (open.value = "override")}>
          Override…
        </button>
        <button type="button" onClick={() => (open.value = "drain")}>
          Drain…
        </button>
        {isOverridden ? (
          <button type="button" onClick={() => (open.value = "end")}>
            End the override…
          </button>
        ) : null}
      </fieldset>
      {open.value === "override" ? (
        <OverrideDialog agentIds={[agentId]} modes={modes} firstRole="" onClose={close} />
      ) : null}
      {open.value === "drain" ? (
        <OverrideDialog agentIds={[agentId]} modes={modes} firstRole="draining" onClose={close} />
      ) : null}
      {open.value === "end" ? (
        <OrderDialog
          title="End the override"
          verb="End the override"
          order={() => ({ method: "POST", path: "/api/v1/overrides/end", body: { agents: [agentId] } })}
          onClose={close}
        />
      ) : null}
    </>
  );
}
