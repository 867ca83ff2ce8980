import { safeText } from "#platform/page/safe-text.ts";
import { timeText } from "#platform/page/time-zone.ts";
import { FreezeDialog, ThawDialog } from "./freeze-dialog.tsx";
import { OrderButtons } from "./order-buttons.tsx";

const freezing = { word: "Freeze…", Dialog: FreezeDialog };
const thawing = { word: "End the freeze…", Dialog: ThawDialog };

interface FleetActionsProps {
  /** Freeze in force; null: none. */
  readonly freeze: { readonly reason: string; readonly untilMs: number | null } | null;
}

/** Freeze in force, and the buttons by which an operator acts on the fleet; none for a viewer. */
export const FleetActions = ({ freeze }: FleetActionsProps) => (
  <>
    {freeze === null ? null : (
      <p class="note warn">
        ▲ Frozen by an operator{" "}
        {freeze.untilMs === null ? "until it is ended" : `until ${timeText(freeze.untilMs, "day")}`}:{" "}
        {safeText(freeze.reason)}
      </p>
    )}
    <OrderButtons label="Act on the fleet" agentIds={[]} modes={[]} more={freeze === null ? freezing : thawing} />
  </>
);
