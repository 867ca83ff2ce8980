import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { cleanText } from "#platform/clean-text.ts";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { writeDurably } from "#platform/files/write-durably.ts";
import type { Logger } from "#platform/log.ts";
import { ownPrefix } from "#platform/process/own-installation.ts";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { decodeText } from "#protocol/codec.ts";
import type { OrderedUpdate, UpdateReport } from "#protocol/messages.ts";
import { decideOrderReport } from "./decide-order-report.ts";
import { explainOrderReport } from "./explain-order-report.ts";
import type { FleetUpdateConfig } from "./fleet-update-config.ts";

const commandWithinMs = 60_000;
const maxReasonCharacters = 512;

/** The part of the device's update.json that the agent reads. */
const Updates = strictObject({
  state: Type.String({ maxLength: 32 }),
  reason: Type.String({ maxLength: 2048 }),
  failed: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 }),
});

export interface FleetUpdatesParts {
  readonly config: FleetUpdateConfig;
  /** Directory in which the order is left for the updater. */
  readonly directory: string;
  readonly version: string;
  readonly log: Logger;
}

/**
 * Passes the fleet's order for a version on to the device's updater, which believes releases and not the fleet. The agent itself can change no version:
 * it leaves the order in a file, and reads what became of it.
 */
export class FleetUpdates {
  readonly #parts: FleetUpdatesParts;
  #ordered: OrderedUpdate | null = null;
  /** Order that was passed on; the same one again is the controller repeating itself. */
  #passedOn = "";
  #updates: Static<typeof Updates> | null = null;
  #told = "";

  constructor(parts: FleetUpdatesParts) {
    this.#parts = parts;
  }

  get orderPath(): string {
    return join(this.#parts.directory, "update-order.json");
  }

  /** State of the order, for the controller. */
  report(): UpdateReport {
    const inputs = {
      ...{ allowed: this.#parts.config.allowFleet, wanted: this.#ordered?.version ?? null },
      ...{ running: this.#parts.version, updates: this.#updates },
    };
    const state = decideOrderReport(inputs);
    const reason = cleanText(explainOrderReport(state, inputs)).slice(0, maxReasonCharacters);
    return { allowed: inputs.allowed, wanted: inputs.wanted, state, reason };
  }

  /** Takes the order of the desired document, passes a new one on, and reads what became of it. Resolves with true when there is something to report. */
  async evaluate(ordered: OrderedUpdate | null): Promise<boolean> {
    this.#ordered = ordered;
    this.#updates = await this.#readUpdates();
    if (this.report().state === "under-way") await this.#passOn();
    const now = JSON.stringify(this.report());
    if (now === this.#told) return false;
    this.#told = now;
    return true;
  }

  async #passOn(): Promise<void> {
    const { config, log } = this.#parts;
    const text = JSON.stringify(this.#ordered);
    if (text === this.#passedOn) return;
    this.#passedOn = text;
    try {
      writeDurably(this.orderPath, `${text}\n`);
      log.info({ version: this.#ordered?.version }, "the fleet's order for a version is passed on to the updater");
      if (config.command === null) return;
      const command = config.command.map((word) => word.replaceAll("{order}", this.orderPath));
      const outcome = await runCommand(command, commandWithinMs);
      if (outcome.exitCode !== 0)
        log.error({ reason: outcomeToText(command, outcome, commandWithinMs) }, "the updater could not be started");
    } catch (error) {
      // The disk may work again later.
      this.#passedOn = "";
      log.error({ err: describeError(error) }, "the fleet's order for a version could not be passed on");
    }
  }

  async #readUpdates(): Promise<Static<typeof Updates> | null> {
    try {
      const decoded = decodeText(
        Updates,
        await readRegularText(join(this.#parts.config.prefix ?? ownPrefix(), "update.json"), 1_048_576),
      );
      return decoded.ok ? decoded.message : null;
    } catch {
      return null;
    }
  }
}
