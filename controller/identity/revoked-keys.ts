import { type Static, Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { TimeMs } from "#protocol/bounds.ts";
import { KeyHash } from "#protocol/identity/join-messages.ts";
import { accessLimits } from "#protocol/messages.ts";
import type { Device, KeptStore } from "../store/store.ts";

const keptName = "revoked-keys";
const Kept = strictObject({
  v: Type.Literal(1),
  keys: Type.Array(strictObject({ key: KeyHash, untilMs: TimeMs }), { maxItems: accessLimits.maxRevoked }),
});
type RevokedKey = Static<typeof Kept>["keys"][number];

/** Keys of revoked devices until their certificates expire, published to other agents. A device that joins again has another key. */
export class RevokedKeys {
  readonly #store: KeptStore;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  #keys: readonly RevokedKey[] = [];

  constructor(store: KeptStore, nowMs: () => number, log: Logger) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#log = log;
  }

  /** Restores what an earlier run knew. @param devices all devices: a run may have ended before it stored the keys of one */
  async recover(devices: readonly Device[]): Promise<void> {
    this.#keys = (await this.#store.loadKept(keptName, Kept))?.keys ?? [];
    for (const device of devices) if (device.state === "revoked") this.#put(device);
  }

  /** Adds the keys of a device. */
  async add(device: Device): Promise<void> {
    this.#put(device);
    // The device itself is recorded as revoked: without this entry, agents learn of it from there after a restart.
    await this.#store
      .saveKept(keptName, { v: 1, keys: this.#keys })
      .catch((error) => this.#log.error({ err: describeError(error) }, "the keys of a revoked device can't be stored"));
  }

  /** Lists the keys whose certificates have not ended, the newest last. */
  list(): readonly string[] {
    return this.#keys.filter(({ untilMs }) => untilMs > this.#nowMs()).map(({ key }) => key);
  }

  #put({ keyHash, previousKeyHash, notAfterMs }: Device): void {
    if (notAfterMs === null) return;
    const own = [keyHash, ...(previousKeyHash === null ? [] : [previousKeyHash])];
    const others = this.#keys.filter(({ key, untilMs }) => !own.includes(key) && untilMs > this.#nowMs());
    const all = [...others, ...own.map((key) => ({ key, untilMs: Math.ceil(notAfterMs) }))];
    if (all.length > accessLimits.maxRevoked)
      this.#log.warn(
        { keys: all.length, told: accessLimits.maxRevoked },
        "agents are told of the newest revoked keys only",
      );
    this.#keys = all.slice(-accessLimits.maxRevoked);
  }
}
