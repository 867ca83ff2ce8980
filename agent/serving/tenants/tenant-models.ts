import type { Embedder, EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { ServiceError } from "#platform/errors.ts";
import { defaultTenant, type TenantAccess } from "#protocol/messages.ts";

interface TenantModels {
  /** Tenant as the controller told; undefined for others, which may use all models. */
  readonly tenant: (name: string) => Pick<TenantAccess, "models"> | undefined;
  /** Id of a model by a name that clients use, undefined for the default model; null for an unknown one. */
  readonly idOf: (name: string | undefined) => string | null;
}

/** Refuses requests of tenants for models that they may not use. Requests of other agents were checked there. */
export function withTenantModels(embedder: Embedder, { tenant: tenantNamed, idOf }: TenantModels): Embedder {
  const refuseModel = ({
    tenant = defaultTenant,
    model,
    scope,
  }: Pick<EmbedRequest, "tenant" | "model" | "scope">): void => {
    const ofTenant = tenantNamed(tenant)?.models ?? null;
    const ofKey = scope?.models ?? null;
    if (ofTenant === null && ofKey === null) return;
    const id = idOf(model) ?? model;
    const may = (models: readonly string[] | null) => models === null || (id !== undefined && models.includes(id));
    if (may(ofTenant) && may(ofKey)) return;
    const got = id === undefined ? "none" : JSON.stringify(id.slice(0, 128));
    const who = may(ofTenant) ? `this key of tenant ${tenant}` : `tenant ${tenant}`;
    const models = (may(ofTenant) ? ofKey : ofTenant) ?? [];
    throw new ServiceError("FORBIDDEN", `model: ${who} may use ${models.join(", ")}; got ${got}`, {
      details: { param: "model" },
    });
  };
  return {
    embed(request) {
      try {
        refuseModel(request);
      } catch (error) {
        return Promise.reject(error);
      }
      return embedder.embed(request);
    },
    async tokenize(request) {
      refuseModel(request);
      return embedder.tokenize(request);
    },
    inFlight: () => embedder.inFlight(),
    queueDepth: () => embedder.queueDepth(),
  };
}
