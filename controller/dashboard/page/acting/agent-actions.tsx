import { useMemo } from "preact/hooks";
import { OrderButtons } from "./order-buttons.tsx";
import { OrderDialog } from "./order-dialog.tsx";

interface AgentActionsProps {
  readonly agentId: string;
  readonly modes: readonly string[];
  /** True while an operator's override is in force. */
  readonly isOverridden: boolean;
}

/** Buttons by which an operator acts on one agent; nothing for a viewer. */
export function AgentActions({ agentId, modes, isOverridden }: AgentActionsProps) {
  // The same one until the agent is another: an open dialog stays as it is.
  const EndDialog = useMemo(
    () =>
      ({ onClose }: { readonly onClose: () => void }) => (
        <OrderDialog
          title="End the override"
          verb="End the override"
          order={() => ({ method: "POST", path: "/api/v1/overrides/end", body: { agents: [agentId] } })}
          onClose={onClose}
        />
      ),
    [agentId],
  );
  return (
    <OrderButtons
      label="Act on this agent"
      agentIds={[agentId]}
      modes={modes}
      more={isOverridden ? { word: "End the override…", Dialog: EndDialog } : null}
    />
  );
}
