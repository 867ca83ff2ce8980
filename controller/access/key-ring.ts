import { timingSafeEqual } from "node:crypto";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { makeIssuedKey, readIssuedKey } from "#platform/http/guard/issued-key.ts";
import type { Role } from "#platform/http/guard/roles.ts";
import type { Logger } from "#platform/log.ts";
import { secondMs } from "#platform/time.ts";
import type { ApiKey, KeyStore } from "../store/store.ts";

/** Maximum keys on record, those that ended included; the oldest of these give way to new ones. */
const maxKeys = 1000;

export interface KeyRingParts {
  readonly store: KeyStore;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** True: other keys are configured, so that the first issued one need not be an admin's. */
  readonly hasOtherKeys: boolean;
}

/** Key to be made. */
export interface KeyRequest {
  readonly name: string;
  readonly role: Role;
  /** Null: it does not expire. */
  readonly expiresInS: number | null;
  /** With role embed: whose requests come with it. */
  readonly tenant?: string | null;
  /** With role embed: the part of its tenant's rights that the key has. Default: all. */
  readonly scope?: NonNullable<ApiKey["scope"]> | null;
}

/** Key as it is shown: without its hash. */
export type KeyView = Omit<ApiKey, "hash"> & { readonly state: "valid" | "expired" | "revoked" };

/** Key just made; its text is shown once and kept nowhere. */
export interface NewKey {
  readonly key: KeyView;
  readonly secret: string;
}

const stateOf = ({ expiresAtMs, revokedAtMs }: ApiKey, nowMs: number) => {
  if (revokedAtMs !== null) return "revoked";
  return expiresAtMs !== null && expiresAtMs <= nowMs ? "expired" : "valid";
};

const timeToText = (atMs: number) => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

/**
 * Keys of the controller's API that were issued, in memory. Another process (`thormesh keys --local`) may change them in the store, so they are to be
 * loaded again regularly.
 */
export class KeyRing implements IssuedKeys {
  readonly #parts: KeyRingParts;
  #keys = new Map<string, ApiKey>();
  #unreadable = 0;
  /** Last uses that are not stored yet. */
  readonly #used = new Map<string, number>();

  constructor(parts: KeyRingParts) {
    this.#parts = parts;
  }

  /** True once a key of this API was issued, also when none is valid any more: revoking the last one must not open the API. */
  get required(): boolean {
    return this.#unreadable > 0 || [...this.#keys.values()].some(({ role }) => role !== "embed");
  }

  /** Valid keys of tenants with their hashes, for the agents. */
  ofTenants(): readonly (ApiKey & { readonly tenant: string })[] {
    const nowMs = this.#parts.nowMs();
    return [...this.#keys.values()].flatMap((key) =>
      key.role === "embed" && key.tenant !== null && stateOf(key, nowMs) === "valid"
        ? [{ ...key, tenant: key.tenant }]
        : [],
    );
  }

  async load(): Promise<void> {
    const { keys, unreadable } = await this.#parts.store.loadKeys();
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#unreadable = unreadable;
  }

  identify(text: string): Caller | ServiceError | null {
    const given = readIssuedKey(text);
    const key = given === null ? undefined : this.#keys.get(given.id);
    if (given === null || key === undefined) return null;
    if (!timingSafeEqual(Buffer.from(key.hash, "hex"), Buffer.from(given.hash, "hex"))) return null;
    const nowMs = this.#parts.nowMs();
    // Only the holder learns this much.
    const ended = { revoked: key.revokedAtMs, expired: key.expiresAtMs, valid: null };
    const state = stateOf(key, nowMs);
    if (state !== "valid") {
      const endedAtMs = ended[state] ?? nowMs;
      const what = `${state === "revoked" ? "was revoked" : "expired"} at ${timeToText(endedAtMs)} UTC`;
      return new ServiceError("UNAUTHORIZED", `key ${key.id} (${key.name}) ${what}`);
    }
    this.#used.set(key.id, Math.round(nowMs));
    return { tenant: key.tenant, role: key.role, name: `key ${key.id} (${key.name})`, keyId: key.id };
  }

  list(): KeyView[] {
    const nowMs = this.#parts.nowMs();
    return [...this.#keys.values()].map(({ hash: _, ...key }) => ({
      ...key,
      lastUsedAtMs: this.#used.get(key.id) ?? key.lastUsedAtMs,
      state: stateOf({ ...key, hash: "" }, nowMs),
    }));
  }

  /** Stores the last uses since it was called last. */
  async saveUses(): Promise<void> {
    for (const [id, atMs] of [...this.#used]) {
      await this.#parts.store.saveKeyUse(id, atMs);
      const key = this.#keys.get(id);
      if (key !== undefined) this.#keys.set(id, { ...key, lastUsedAtMs: atMs });
      this.#used.delete(id);
    }
  }

  /**
   * Makes a key of this API, or with role embed of a tenant at the agents.
   * @throws ServiceError CONFLICT where a valid key has the name, or the first key would not be an admin's; INVALID_REQUEST where role and tenant
   * don't match
   */
  async create({ name, role, expiresInS, tenant = null, scope = null }: KeyRequest): Promise<NewKey> {
    await this.load();
    if ((role === "embed") !== (tenant !== null)) {
      const expected = role === "embed" ? "the key's tenant, got none" : `none with role ${role}, got ${tenant}`;
      throw new ServiceError("INVALID_REQUEST", `tenant: expected ${expected}`, { details: { param: "tenant" } });
    }
    if (scope !== null && role !== "embed")
      throw new ServiceError("INVALID_REQUEST", `models, regions: expected none with role ${role}`, {
        details: { param: "role" },
      });
    if (this.list().some((key) => key.name === name && key.state === "valid"))
      throw new ServiceError(
        "CONFLICT",
        `name: there is already a valid key named ${name}; rotate or revoke it, or choose another name`,
      );
    if (!["admin", "embed"].includes(role) && !this.required && !this.#parts.hasOtherKeys)
      throw new ServiceError(
        "CONFLICT",
        `role: the first key must be an admin's, got ${role}: once there is a key, every request needs one`,
      );
    const expiresAtMs = expiresInS === null ? null : Math.round(this.#parts.nowMs()) + expiresInS * secondMs;
    return this.#issue({ name, role, expiresAtMs, replaces: null, tenant, scope });
  }

  /**
   * Makes a new key with the name and role of a valid one, which stays valid for `overlapS` more. The new one is valid for as long as the old one was.
   * @throws ServiceError NOT_FOUND, or CONFLICT where the key is no longer valid.
   */
  async rotate(id: string, overlapS: number): Promise<NewKey> {
    await this.load();
    const old = this.#valid(id);
    const nowMs = Math.round(this.#parts.nowMs());
    const expiresAtMs = old.expiresAtMs === null ? null : nowMs + (old.expiresAtMs - old.createdAtMs);
    const { name, role, tenant, scope = null } = old;
    const made = await this.#issue({ name, role, expiresAtMs, replaces: id, tenant, scope });
    await this.#save({
      ...old,
      expiresAtMs: Math.min(old.expiresAtMs ?? Number.POSITIVE_INFINITY, nowMs + overlapS * secondMs),
    });
    return made;
  }

  /** Ends a key at once. @throws ServiceError NOT_FOUND, or CONFLICT where it is no longer valid. */
  async revoke(id: string): Promise<KeyView> {
    await this.load();
    await this.#save({ ...this.#valid(id), revokedAtMs: Math.round(this.#parts.nowMs()) });
    return this.view(id);
  }

  /** Ends all keys of a tenant. */
  async revokeOf(tenant: string): Promise<void> {
    for (const { id } of this.list().filter((key) => key.tenant === tenant && key.state === "valid"))
      await this.revoke(id);
  }

  /** @throws ServiceError NOT_FOUND */
  view(id: string): KeyView {
    const view = this.list().find((key) => key.id === id);
    if (view === undefined) throw new ServiceError("NOT_FOUND", `there is no key ${id}`);
    return view;
  }

  #valid(id: string): ApiKey {
    const { state } = this.view(id);
    if (state !== "valid") throw new ServiceError("CONFLICT", `key ${id} is already ${state}`);
    return this.#keys.get(id) as ApiKey;
  }

  async #issue(key: Pick<ApiKey, "name" | "role" | "expiresAtMs" | "replaces" | "tenant" | "scope">): Promise<NewKey> {
    await this.#makeRoom();
    const { id, hash, text } = makeIssuedKey(key.role);
    const createdAtMs = Math.round(this.#parts.nowMs());
    await this.#save({ id, hash, createdAtMs, revokedAtMs: null, lastUsedAtMs: null, ...key });
    return { key: this.view(id), secret: text };
  }

  async #save(key: ApiKey): Promise<void> {
    await this.#parts.store.saveKey(key);
    this.#keys.set(key.id, key);
  }

  async #makeRoom(): Promise<void> {
    if (this.#keys.size < maxKeys) return;
    const oldest = this.list()
      .filter(({ state }) => state !== "valid")
      .sort((a, b) => a.createdAtMs - b.createdAtMs)[0];
    if (oldest === undefined) throw new ServiceError("CONFLICT", `there are ${maxKeys} valid keys: revoke one first`);
    await this.#parts.store.removeKey(oldest.id);
    this.#keys.delete(oldest.id);
  }

  /** Loads the keys and stores their uses; what fails is tried again the next time. */
  async refresh(): Promise<void> {
    try {
      await this.saveUses();
      await this.load();
    } catch (error) {
      this.#parts.log.error({ err: describeError(error) }, "the API's keys can't be read again");
    }
  }
}
