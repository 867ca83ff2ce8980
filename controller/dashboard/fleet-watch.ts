import type { AgentCapacity } from "#controller/scaling/slo/observe-capacity.ts";
import type { Override } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import type { Prices } from "../cost/price-minute.ts";
import type { AgentState } from "../fleet/agent-state.ts";
import { refusalsOf, refusedOrderOf } from "../fleet/broker-problems.ts";
import { clockSkewMs } from "../fleet/clock-skew.ts";
import type { DesiredDocuments } from "../fleet/desired-documents.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { type AgentCondition, type AgentFacts, conditionOf, readFacts } from "./agent-facts.ts";
import { agentRow } from "./agent-row.ts";
import type { Figures } from "./figure.ts";
import { type FigureSources, fleetFigures, type Sums, sumUp } from "./fleet-figures.ts";

export interface FleetWatchParts {
  readonly fleet: Pick<Fleet, "agents" | "size">;
  readonly desired: Pick<DesiredDocuments, "documents" | "overrides">;
  readonly pricesAt: (agentId: string, timeMs: number) => Prices;
  /** Capacities of the agents as the controller counts on them. */
  readonly capacities: () => ReadonlyMap<string, AgentCapacity>;
  readonly staleAfterMs: number;
  /** Sources of the figures other than the agents. */
  readonly sources: () => Omit<FigureSources, "nowMs">;
  /** Parts of the overview other than figures, by name. */
  readonly sections: () => Readonly<Record<string, unknown>>;
  readonly nowMs: () => number;
}

/** An agent as of the last reading. */
export interface WatchedAgent {
  readonly agent: AgentState;
  readonly facts: AgentFacts;
  readonly condition: AgentCondition;
  /** True: there is more to say of it than its condition. */
  readonly hasNote: boolean;
  /** True: it is meant to serve. */
  readonly isMeant: boolean;
}

interface Entry extends WatchedAgent {
  agent: AgentState;
  facts: AgentFacts;
  condition: AgentCondition;
  hasNote: boolean;
  isMeant: boolean;
  desired: Desired | undefined;
  override: Override | undefined;
  /** Its row as it is sent. */
  row: string;
  /** Number of the event with which its row changed last. */
  changed: number;
}

interface Part {
  text: string;
  changed: number;
}

/** Changes since an event. Texts are JSON. */
export interface FleetChanges {
  /** Rows of the agents that changed or came. */
  readonly rows: readonly string[];
  readonly gone: readonly string[];
  readonly figures: readonly (readonly [name: string, text: string])[];
  readonly sections: readonly (readonly [name: string, text: string])[];
}

/** Agents that are gone and remembered, for clients that were away. */
const maxGone = 1000;

const isSame = (entry: Entry, agent: AgentState, desired: Desired | undefined, override: Override | undefined) =>
  entry.agent.recent === agent.recent &&
  entry.agent.presence === agent.presence &&
  entry.agent.birth === agent.birth &&
  entry.agent.reported === agent.reported &&
  entry.agent.clock === agent.clock &&
  entry.desired === desired &&
  entry.override === override;

function needsNote(agent: AgentState, override: Override | undefined): boolean {
  return (
    override !== undefined ||
    clockSkewMs(agent) !== 0 ||
    (agent.reported?.differs.length ?? 0) > 0 ||
    (agent.presence?.status === "online" && agent.presence.models.length === 0) ||
    refusalsOf(agent).length > 0 ||
    refusedOrderOf(agent) !== null
  );
}

/**
 * The fleet as shown by the page, the API and `thormesh status`. Each reading covers only agents with news; changes get an event
 * number. A client that was away gets the newest state of all that changed since its last event, however many events there were.
 */
export class FleetWatch {
  readonly #parts: FleetWatchParts;
  /** Name of this run: events of another one say nothing here. */
  readonly run = crypto.randomUUID().slice(0, 8);
  readonly #entries = new Map<string, Entry>();
  readonly #figureTexts = new Map<string, Part>();
  readonly #sectionTexts = new Map<string, Part>();
  #gone: { readonly agentId: string; readonly changed: number }[] = [];
  /** Newest event whose agents that are gone were forgotten. */
  #forgottenGone = 0;
  #event = 0;
  /** Sums of the newest look; null: an agent has changed since. */
  #sums: Sums | null = null;
  #figures: Figures | null = null;
  #sections: Readonly<Record<string, unknown>> = {};
  #lookedAtMs = 0;

  constructor(parts: FleetWatchParts) {
    this.#parts = parts;
  }

  /** Number of the newest event. */
  get event(): number {
    return this.#event;
  }

  /** Time of the newest look, by the controller's clock. */
  get lookedAtMs(): number {
    return this.#lookedAtMs;
  }

  /** Agents by id, as of the newest look. */
  get agents(): ReadonlyMap<string, WatchedAgent> {
    return this.#entries;
  }

  /** Figures of the newest look. @throws Error before the first */
  get figures(): Figures {
    if (this.#figures === null) throw new Error("the fleet has not been read yet. This is a bug.");
    return this.#figures;
  }

  /** Parts of the overview other than figures, of the newest look. */
  get sections(): Readonly<Record<string, unknown>> {
    return this.#sections;
  }

  /** Looks at the fleet; returns whether anything changed. */
  look(): boolean {
    const { fleet, sources, sections } = this.#parts;
    const nowMs = this.#parts.nowMs();
    this.#lookedAtMs = nowMs;
    const next = this.#event + 1;
    const agents = fleet.agents();
    const capacities = this.#parts.capacities();
    let hasChanged = false;
    for (const agent of agents) hasChanged = this.#lookAt(agent, capacities, nowMs, next) || hasChanged;
    if (this.#entries.size > agents.length) hasChanged = this.#forget(agents, next) || hasChanged;
    this.#sums ??= sumUp([...this.#entries.values()]);
    this.#figures = fleetFigures(this.#sums, { ...sources(), nowMs });
    this.#sections = sections();
    for (const [parts, values] of [
      [this.#figureTexts, this.#figures],
      [this.#sectionTexts, this.#sections],
    ] as const)
      for (const [name, value] of Object.entries(values)) hasChanged = note(parts, name, value, next) || hasChanged;
    if (hasChanged) this.#event = next;
    return hasChanged;
  }

  /** Collects what changed after an event, 0 for everything; null where that is unknown any more. */
  changesSince(event: number): FleetChanges | null {
    if (event > this.#event || (event > 0 && event < this.#forgottenGone)) return null;
    const since = (parts: ReadonlyMap<string, Part>) =>
      [...parts].filter(([, { changed }]) => changed > event).map(([name, { text }]) => [name, text] as const);
    const rows: string[] = [];
    for (const { row, changed } of this.#entries.values()) if (changed > event) rows.push(row);
    const gone =
      event === 0 ? [] : this.#gone.filter(({ changed, agentId }) => changed > event && !this.#entries.has(agentId));
    return {
      rows,
      gone: gone.map(({ agentId }) => agentId),
      figures: since(this.#figureTexts),
      sections: since(this.#sectionTexts),
    };
  }

  #lookAt(agent: AgentState, capacities: ReadonlyMap<string, AgentCapacity>, nowMs: number, next: number): boolean {
    const { desired, staleAfterMs, pricesAt } = this.#parts;
    const { agentId } = agent;
    const document = desired.documents.get(agentId);
    const override = desired.overrides.get(agentId);
    const condition = conditionOf(agent, document, nowMs, staleAfterMs);
    const known = this.#entries.get(agentId);
    if (known !== undefined && isSame(known, agent, document, override)) {
      known.agent = agent;
      if (known.condition === condition) return false;
      this.#sums = null;
      known.condition = condition;
      return renew(known, next);
    }
    this.#sums = null;
    const entry: Entry = {
      agent,
      facts: readFacts(agent, pricesAt(agentId, nowMs), knownCapacity(capacities.get(agentId))),
      condition,
      hasNote: needsNote(agent, override),
      isMeant: (document?.role ?? agent.reported?.role ?? agent.presence?.role) === "active",
      ...{ desired: document, override, row: known?.row ?? "", changed: known?.changed ?? 0 },
    };
    this.#entries.set(agentId, entry);
    return renew(entry, next);
  }

  #forget(agents: readonly AgentState[], next: number): boolean {
    this.#sums = null;
    const present = new Set(agents.map(({ agentId }) => agentId));
    for (const agentId of this.#entries.keys()) {
      if (present.has(agentId)) continue;
      this.#entries.delete(agentId);
      this.#gone.push({ agentId, changed: next });
    }
    const forgotten = this.#gone.splice(0, Math.max(0, this.#gone.length - maxGone));
    this.#forgottenGone = forgotten.at(-1)?.changed ?? this.#forgottenGone;
    return true;
  }
}

/** Capacity of an agent of which something is known, texts per second. */
const knownCapacity = (capacity: AgentCapacity | undefined): number | null =>
  (capacity?.profileQps ?? capacity?.measuredQps ?? null) === null ? null : (capacity?.qps ?? null);

/** Writes an agent's row anew; returns whether it is another one. */
function renew(entry: Entry, next: number): boolean {
  const row = JSON.stringify(agentRow(entry.condition, entry.facts, entry.hasNote));
  if (row === entry.row) return false;
  entry.row = row;
  entry.changed = next;
  return true;
}

function note(parts: Map<string, Part>, name: string, value: unknown, next: number): boolean {
  const text = JSON.stringify(value);
  const known = parts.get(name);
  if (known?.text === text) return false;
  parts.set(name, { text, changed: next });
  return true;
}
