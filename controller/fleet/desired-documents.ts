import type { DesiredStore, Override } from "#controller/store/store.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Broker } from "#protocol/broker.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Desired } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import { documentValidMs, noSeals, type OrderSeals } from "../identity/order-seals.ts";
import type { Fleet } from "./fleet.ts";

export type DesiredChange = Partial<
  Pick<Desired, "role" | "powerMode" | "powerModeUntilMs" | "powerModeCap" | "powerModeCapUntilMs">
> & {
  /** Version to run; null: none is ordered any more. */
  readonly update?: Desired["update"] | null;
};

export type DesiredDocuments = ReturnType<typeof createDesiredDocuments>;

export interface DesiredDocumentsParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly store: DesiredStore;
  readonly broker: Broker;
  /** Signs what is published. Default: nothing does. */
  readonly seals?: OrderSeals;
  /** Term of this controller's lease; null: none. Default: none. */
  readonly term?: () => number | null;
  readonly nowMs: () => number;
  readonly log: Logger;
}

const maxReasonLength = 1024;

/** Desired documents of all agents, and the operators' overrides behind them. */
export function createDesiredDocuments(parts: DesiredDocumentsParts) {
  const { fleetName, fleet, store, broker, seals = noSeals, term = () => null, nowMs, log } = parts;
  /** Time at which each agent's document was signed last. */
  const sealedAtMs = new Map<string, number>();
  const documents = new Map<string, Desired>();
  const overrides = new Map<string, Override>();

  const publish = async (document: Desired) => {
    const { agentId, version } = document;
    const leads = term();
    const told: Desired = leads === null ? document : { ...document, term: leads };
    const sealed = seals.seal("desired", told, nowMs() + documentValidMs);
    sealedAtMs.set(agentId, nowMs());
    try {
      await broker.publish(agentTopic(fleetName, agentId, "desired"), encodeMessage(Desired, sealed), {
        retain: true,
      });
    } catch (error) {
      log.warn({ agentId, version, err: describeError(error) }, "a desired document waits for the broker");
    }
  };

  return {
    documents: documents as ReadonlyMap<string, Desired>,
    overrides: overrides as ReadonlyMap<string, Override>,
    /** Restores what was stored; nothing is published. */
    async recover(): Promise<void> {
      for (const document of await store.loadDesired()) documents.set(document.agentId, document);
      for (const override of await store.loadOverrides()) overrides.set(override.agentId, override);
    },
    /** Makes the next version of an agent's document, stores and publishes it. An unreachable broker gets it with `publishAll`. */
    async change(agentId: string, change: DesiredChange, reason: string): Promise<Desired> {
      const before = documents.get(agentId);
      const agent = fleet.get(agentId);
      // After the store was lost, the agent may have seen later versions than it has.
      const seenVersion = Math.max(before?.version ?? 0, agent?.reported?.desiredVersion ?? 0);
      // A version this high is forged. An agent follows a document with a later issuedAtMs, too.
      const version = seenVersion >= bounds.count32 ? 1 : seenVersion + 1;
      // Draining is an operator's order, or an agent's own state that ends: no document carries it on by itself.
      const isDrained = overrides.get(agentId)?.role === "draining";
      const role = before?.role ?? (agent?.presence?.role === "standby" ? "standby" : "active");
      const { powerModeCap = before?.powerModeCap ?? null, powerModeCapUntilMs = before?.powerModeCapUntilMs ?? null } =
        change;
      const update = change.update === null ? undefined : (change.update ?? before?.update);
      const document: Desired = {
        v: 1,
        agentId,
        version,
        issuedAtMs: Math.round(nowMs()),
        role: change.role ?? (role === "draining" && !isDrained ? "standby" : role),
        powerMode: change.powerMode === undefined ? (before?.powerMode ?? null) : change.powerMode,
        // Earlier versions of the agent don't know a cap.
        ...(powerModeCap === null ? {} : { powerModeCap, powerModeCapUntilMs }),
        powerModeUntilMs:
          change.powerModeUntilMs === undefined ? (before?.powerModeUntilMs ?? null) : change.powerModeUntilMs,
        reason: cleanText(reason).slice(0, maxReasonLength),
        ...(update === undefined ? {} : { update }),
      };
      await store.saveDesired(document);
      documents.set(agentId, document);
      await publish(document);
      return document;
    },
    /** Publishes every document again, as the broker may have lost its retained messages. */
    async publishAll(): Promise<void> {
      for (const document of documents.values()) await publish(document);
    },
    /** Signs and publishes again what the broker retains, long before it expires. */
    async renewSeals(): Promise<void> {
      for (const document of documents.values())
        if (nowMs() - (sealedAtMs.get(document.agentId) ?? 0) > documentValidMs / 2) await publish(document);
    },
    /** Publishes an agent's document again, e.g. when the agent does not follow it. */
    async publishAgain(agentId: string): Promise<void> {
      const document = documents.get(agentId);
      if (document !== undefined) await publish(document);
    },
    async setOverride(override: Override): Promise<void> {
      await store.saveOverride(override);
      overrides.set(override.agentId, override);
    },
    async removeOverride(agentId: string): Promise<void> {
      await store.removeOverride(agentId);
      overrides.delete(agentId);
    },
    /** Forgets an agent that was retired. Its retained document is cleared with its other retained messages. */
    async forget(agentId: string): Promise<void> {
      await store.removeOverride(agentId);
      await store.removeDesired(agentId);
      overrides.delete(agentId);
      documents.delete(agentId);
      sealedAtMs.delete(agentId);
    },
  };
}
