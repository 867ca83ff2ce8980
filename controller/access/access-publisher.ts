import { Type } from "@sinclair/typebox";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { TimeMs } from "#protocol/bounds.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeMessage, maxMessageBytes } from "#protocol/codec.ts";
import {
  accessLimits,
  FleetAccess,
  type RegionTariff,
  type TenantAccess,
  type TenantJobs,
} from "#protocol/messages.ts";
import { controllerAccessTopic } from "#protocol/topics.ts";
import type { Devices } from "../identity/devices.ts";
import { documentValidMs, noSeals, type OrderSeals } from "../identity/order-seals.ts";
import type { AuditStore, KeptStore, Tenant } from "../store/store.ts";
import type { KeyRing } from "./key-ring.ts";
import type { TenantQuotaParts } from "./quota-parts.ts";
import type { TenantCeilings } from "./tenant-ceilings.ts";
import type { TenantShares } from "./tenant-shares.ts";
import type { Tenants } from "./tenants.ts";

export interface AccessPublisherParts {
  readonly fleetName: string;
  readonly keys: Pick<KeyRing, "ofTenants" | "list">;
  readonly tenants: Pick<Tenants, "list">;
  readonly broker: Pick<Broker, "publish" | "connected">;
  readonly store: KeptStore & Pick<AuditStore, "auditHead">;
  readonly shares: Pick<TenantShares, "of">;
  readonly quotas: Pick<TenantQuotaParts, "of" | "save">;
  /** Ceilings that budgets put on tenants. Default: there are none. */
  readonly ceilings?: Pick<TenantCeilings, "of">;
  /** Jobs with tenants' data. Default: there are none. */
  readonly jobs?: () => TenantJobs;
  /** Hourly prices of electricity. Default: none. */
  readonly tariffs?: () => readonly RegionTariff[];
  readonly seals?: OrderSeals;
  /** Devices that have joined. */
  readonly devices?: Pick<Devices, "told">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Time of the newest message, kept so that a clock that was set back makes none that is older. */
const keptName = "access-sent";
const Kept = Type.Object({ sentAtMs: TimeMs });

/** Least time between two messages for the audit log alone: each goes to every agent. */
const witnessEachMs = 10 * minuteMs;

/** Left of a message for its time, what a later version adds, and the devices that may yet be revoked. */
const spareBytes = 16_384 + accessLimits.maxRevoked * 120;

/** Lower one of two limits; null: there is neither. */
function lower(one: number | null | undefined, other: number | null | undefined): number | null {
  if (one == null || other == null) return one ?? other ?? null;
  return Math.min(one, other);
}

/** Tells all agents the fleet's tenants and their keys, and tariffs, when that has changed. Nothing is published before there is any. */
export class AccessPublisher {
  readonly #parts: AccessPublisherParts;
  #published = "";
  #witnessedSeq: number | undefined;
  #sentAtMs: number | null = null;

  constructor(parts: AccessPublisherParts) {
    this.#parts = parts;
  }

  #content(): Pick<FleetAccess, "tenants" | "keys" | "jobs" | "devices"> {
    const jobs = this.#parts.jobs?.() ?? [];
    const devices = this.#parts.devices?.told() ?? null;
    return {
      ...(devices === null ? {} : { devices }),
      tenants: this.#parts.tenants.list().map((tenant) => this.#told(tenant)),
      keys: this.#parts.keys.ofTenants().map(({ id, hash, tenant, expiresAtMs, scope = null }) => ({
        ...{ id, hash, tenant, expiresAtMs },
        ...(scope === null
          ? {}
          : { models: scope.models as string[] | null, regions: scope.regions as string[] | null }),
      })),
      ...(jobs.length === 0 ? {} : { jobs }),
    };
  }

  /** Content with the tariffs, unless tenants and keys leave no room for them. */
  #contentWith(
    tariffs: readonly RegionTariff[],
  ): Pick<FleetAccess, "tenants" | "keys" | "jobs" | "devices" | "tariffs"> {
    const content = this.#content();
    if (tariffs.length === 0) return content;
    const all = { ...content, tariffs: [...tariffs] };
    return Buffer.byteLength(JSON.stringify(all)) + spareBytes <= maxMessageBytes ? all : content;
  }

  #told({ id, settings }: Tenant): TenantAccess {
    const { suspended, models, regions, requestsPerMinute, textsPerMinute, tokensPerMinute } = settings;
    const ceiling = this.#parts.ceilings?.of(id);
    const limits = {
      requests: lower(requestsPerMinute, ceiling?.requests),
      texts: textsPerMinute ?? null,
      tokens: lower(tokensPerMinute, ceiling?.tokens),
    };
    const isLimited = Object.values(limits).some((limit) => limit !== null);
    const { shares, otherShare } = this.#parts.shares.of(id);
    const quotas = this.#parts.quotas.of(id);
    return {
      ...{ tenant: id, suspended, models: models as string[] | null, regions: regions as string[] | null },
      ...(isLimited ? { limits, shares: [...shares], otherShare } : {}),
      ...(quotas === undefined ? {} : { quotas }),
    };
  }

  /** True: the message has room for so many more bytes. */
  hasRoom(more: number): boolean {
    const { devices: _spared, ...content } = this.#content();
    return Buffer.byteLength(JSON.stringify(content)) + more + spareBytes <= maxMessageBytes;
  }

  /** @throws ServiceError CONFLICT when `more` bytes would not fit into the message */
  assertRoom(more: number): void {
    const content = this.#content();
    if (this.hasRoom(more) && content.keys.length < accessLimits.maxKeys) return;
    throw new ServiceError(
      "CONFLICT",
      `agents not updated: ${content.keys.length} keys and ${content.tenants.length} tenants with their models and regions exceed the maximum message size`,
    );
  }

  /** @param again true: even if nothing has changed, as the broker may have lost what it retained */
  async publish(again = false): Promise<void> {
    const { broker, fleetName, keys, tenants, store, seals = noSeals, nowMs, log } = this.#parts;
    if (!broker.connected) return;
    try {
      const audit = await store.auditHead();
      const tariffs = this.#parts.tariffs?.() ?? [];
      const isUsed =
        audit !== null ||
        (this.#parts.devices?.told() ?? null) !== null ||
        tenants.list().length > 0 ||
        tariffs.length > 0 ||
        keys.list().some(({ role }) => role === "embed");
      if (!isUsed && this.#published === "") return;
      const content = this.#contentWith(tariffs);
      // Must happen before agents get their shares: what they may have used must not be given away again.
      await this.#parts.quotas.save();
      const text = JSON.stringify(content);
      const ageMs = nowMs() - (this.#sentAtMs ?? 0);
      const isNew = text !== this.#published || (audit?.seq !== this.#witnessedSeq && ageMs > witnessEachMs);
      if (!isNew && !again && ageMs <= documentValidMs / 2) return;
      if (tariffs.length > 0 && content.tariffs === undefined)
        log.warn(
          "beside tenants and keys there is no room for electricity's prices: training waits for no cheap hours",
        );
      const before = this.#sentAtMs ?? (await store.loadKept(keptName, Kept))?.sentAtMs ?? 0;
      this.#sentAtMs = Math.max(Math.round(nowMs()), before + 1);
      await store.saveKept(keptName, { sentAtMs: this.#sentAtMs });
      const access: FleetAccess = { v: 1, sentAtMs: this.#sentAtMs, ...content, ...(audit === null ? {} : { audit }) };
      const message = encodeMessage(FleetAccess, seals.seal("access", access, nowMs() + documentValidMs));
      await broker.publish(controllerAccessTopic(fleetName), message, { retain: true });
      this.#published = text;
      this.#witnessedSeq = audit?.seq;
    } catch (error) {
      log.warn({ err: describeError(error) }, "the fleet's tenants and keys wait for the broker");
    }
  }
}
