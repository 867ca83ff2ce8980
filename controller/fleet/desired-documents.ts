import type { DesiredStore, Override } from "#controller/store/store.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Broker } from "#protocol/broker.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Desired } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import type { Fleet } from "./fleet.ts";

export type DesiredChange = Partial<
  Pick<Desired, "role" | "powerMode" | "powerModeUntilMs" | "powerModeCap" | "powerModeCapUntilMs">
>;

/** Desired documents of all agents, and the operators' overrides behind them. */
export interface DesiredDocuments {
  /** Restores what was stored; nothing is published. */
  recover(): Promise<void>;
  readonly documents: ReadonlyMap<string, Desired>;
  readonly overrides: ReadonlyMap<string, Override>;
  /** Makes the next version of an agent's document, stores and publishes it. An unreachable broker gets it with {@link publishAll}. */
  change(agentId: string, change: DesiredChange, reason: string): Promise<Desired>;
  /** Publishes every document again, as the broker may have lost its retained messages. */
  publishAll(): Promise<void>;
  /** Publishes an agent's document again, e.g. when the agent does not follow it. */
  publishAgain(agentId: string): Promise<void>;
  setOverride(override: Override): Promise<void>;
  removeOverride(agentId: string): Promise<void>;
  /** Forgets an agent that was retired. Its retained document is cleared with its other retained messages. */
  forget(agentId: string): Promise<void>;
}

export interface DesiredDocumentsParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly store: DesiredStore;
  readonly broker: Broker;
  readonly nowMs: () => number;
  readonly log: Logger;
}

const maxReasonLength = 1024;

export function createDesiredDocuments(parts: DesiredDocumentsParts): DesiredDocuments {
  const { fleetName, fleet, store, broker, nowMs, log } = parts;
  const documents = new Map<string, Desired>();
  const overrides = new Map<string, Override>();

  const publish = async (document: Desired) => {
    const { agentId, version } = document;
    try {
      await broker.publish(agentTopic(fleetName, agentId, "desired"), encodeMessage(Desired, document), {
        retain: true,
      });
    } catch (error) {
      log.warn({ agentId, version, err: describeError(error) }, "a desired document waits for the broker");
    }
  };

  return {
    documents,
    overrides,
    async recover() {
      for (const document of await store.loadDesired()) documents.set(document.agentId, document);
      for (const override of await store.loadOverrides()) overrides.set(override.agentId, override);
    },
    async change(agentId, change, reason) {
      const before = documents.get(agentId);
      const agent = fleet.get(agentId);
      // After the store was lost, the agent may have seen later versions than it has.
      const seenVersion = Math.max(before?.version ?? 0, agent?.reported?.desiredVersion ?? 0);
      // A version this high is forged. An agent follows a document with a later issuedAtMs, too.
      const version = seenVersion >= bounds.count32 ? 1 : seenVersion + 1;
      const { powerModeCap = before?.powerModeCap ?? null, powerModeCapUntilMs = before?.powerModeCapUntilMs ?? null } =
        change;
      const document: Desired = {
        v: 1,
        agentId,
        version,
        issuedAtMs: Math.round(nowMs()),
        role: change.role ?? before?.role ?? agent?.presence?.role ?? "active",
        powerMode: change.powerMode === undefined ? (before?.powerMode ?? null) : change.powerMode,
        // Earlier versions of the agent don't know a cap.
        ...(powerModeCap === null ? {} : { powerModeCap, powerModeCapUntilMs }),
        powerModeUntilMs:
          change.powerModeUntilMs === undefined ? (before?.powerModeUntilMs ?? null) : change.powerModeUntilMs,
        reason: cleanText(reason).slice(0, maxReasonLength),
      };
      await store.saveDesired(document);
      documents.set(agentId, document);
      await publish(document);
      return document;
    },
    async publishAll() {
      for (const document of documents.values()) await publish(document);
    },
    async publishAgain(agentId) {
      const document = documents.get(agentId);
      if (document !== undefined) await publish(document);
    },
    async setOverride(override) {
      await store.saveOverride(override);
      overrides.set(override.agentId, override);
    },
    async removeOverride(agentId) {
      await store.removeOverride(agentId);
      overrides.delete(agentId);
    },
    async forget(agentId) {
      await store.removeOverride(agentId);
      await store.removeDesired(agentId);
      overrides.delete(agentId);
      documents.delete(agentId);
    },
  };
}
