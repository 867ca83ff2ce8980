import { useSignal } from "@preact/signals";
import { getJson } from "#platform/page/api-client.ts";
import { TextField } from "#platform/page/fields.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { query } from "#platform/page/url-state.ts";
import { OrderDialog } from "./order-dialog.tsx";
import type { Order } from "./send-order.ts";
import { secondsOf, TimeField } from "./time-field.tsx";

interface OverrideDialogProps {
  /** Agents that are named already; empty: the user names them. */
  readonly agentIds: readonly string[];
  /** Power modes that can be chosen; empty: they are typed. */
  readonly modes: readonly string[];
  readonly firstRole: "" | "draining";
  readonly onClose: () => void;
}

const roleWords = [
  ["", "as the controller decides"],
  ["active", "on: serves"],
  ["standby", "off: stands by"],
  ["draining", "drains: finishes its requests, takes no new ones"],
] as const;

const verbs: Readonly<Record<string, string>> = { active: "Switch on", standby: "Switch off", draining: "Drain" };

/** Max agents of one order. */
const maxAgents = 1000;

/** Button that names the agents which the page's filter shows; none without a filter. */
function TakeFiltered({ onTake }: { readonly onTake: (ids: readonly string[]) => void }) {
  const note = useSignal("");
  const filter = query.value.get("q") ?? "";
  if (filter === "") return null;
  const take = async () => {
    try {
      const path = `/api/v1/agents?filter=${encodeURIComponent(filter)}&limit=${maxAgents}`;
      const { agents, matching } = await getJson<{ agents: { agentId: string }[]; matching: number }>(path);
      onTake(agents.map(({ agentId }) => agentId));
      note.value = matching > agents.length ? `the first ${agents.length} of ${matching}` : `all ${matching}`;
    } catch (error) {
      note.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <p>
      <button type="button" onClick={() => void take()}>
        Take those of the filter
      </button>{" "}
      <span class="muted" role="status">
        {safeText(note.value === "" ? filter : note.value, 200)}
      </span>
    </p>
  );
}

/** Dialog for the role and power mode of agents for a time. */
export function OverrideDialog({ agentIds, modes, firstRole, onClose }: OverrideDialogProps) {
  const named = useSignal(agentIds.join(" "));
  const role = useSignal<string>(firstRole);
  const mode = useSignal("");
  const isCap = useSignal(false);
  const minutes = useSignal("60");
  const order = (): Order => {
    const agents = [...new Set(named.value.split(/[\s,]+/).filter((id) => id !== ""))];
    if (agents.length === 0) throw new Error("agents: expected at least one id, got none");
    const powerMode = mode.value.trim();
    return {
      method: "POST",
      path: "/api/v1/overrides",
      body: {
        agents,
        ...(role.value === "" ? {} : { role: role.value }),
        ...(powerMode === "" ? {} : { [isCap.value ? "powerModeCap" : "powerMode"]: powerMode }),
        expiresInS: secondsOf(minutes.value),
      },
    };
  };
  const count = named.value.split(/[\s,]+/).filter((id) => id !== "").length;
  const verb = `${verbs[role.value] ?? "Set"} ${count === 1 ? "1 agent" : `${count} agents`}`;
  return (
    <OrderDialog
      title={firstRole === "draining" ? "Drain agents" : "Override agents"}
      verb={verb}
      order={order}
      onClose={onClose}
    >
      <label>
        Agents (ids, apart by spaces)
        <textarea
          name="agents"
          rows={2}
          required
          value={named.value}
          onInput={(event) => {
            named.value = event.currentTarget.value;
          }}
        />
      </label>
      <TakeFiltered
        onTake={(ids) => {
          named.value = ids.join(" ");
        }}
      />
      <div class="fields">
        <label>
          Role
          <select
            name="role"
            value={role.value}
            onChange={(event) => {
              role.value = event.currentTarget.value;
            }}
          >
            {roleWords.map(([value, word]) => (
              <option key={value} value={value}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <TextField
          label="Power mode"
          name="mode"
          text={mode}
          maxLength={64}
          placeholder="as the agent decides"
          list="power-modes"
        />
        <datalist id="power-modes">
          {modes.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label class="check">
          <input
            type="checkbox"
            name="cap"
            checked={isCap.value}
            onChange={(event) => {
              isCap.value = event.currentTarget.checked;
            }}
          />{" "}
          no more than this mode
        </label>
        <TimeField minutes={minutes} />
      </div>
    </OrderDialog>
  );
}
