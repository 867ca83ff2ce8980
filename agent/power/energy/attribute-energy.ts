import { defaultTenant, type MinutePower, type ModelTraffic } from "#protocol/messages.ts";

/** Energy of one tenant's requests to one model. */
export interface AttributedEnergy {
  readonly model: string;
  readonly tenant: string;
  readonly energyJ: number;
}

type Computation = Pick<ModelTraffic, "model" | "computeMs"> & {
  readonly tenants?: readonly { readonly tenant: string; readonly computeMs: number }[] | undefined;
};

/** Returns compute time by model and tenant; a record without tenants is the default tenant's. */
function computations(models: readonly Computation[]) {
  return models.flatMap(({ model, computeMs, tenants = [{ tenant: defaultTenant, computeMs }] }) =>
    tenants.map((part) => ({ model, tenant: part.tenant, computeMs: part.computeMs })),
  );
}

/**
 * Splits a minute's active energy by the compute time of models and their tenants. Idle energy is attributed to no one, nor is active
 * energy of a minute without computation: other programs caused it.
 * @returns one entry for each model and tenant, adding up to `activeJ`, or none
 */
export function attributeEnergy(activeJ: number, models: readonly Computation[]): AttributedEnergy[] {
  const parts = computations(models);
  const totalMs = parts.reduce((sum, { computeMs }) => sum + computeMs, 0);
  if (!(totalMs > 0)) return [];
  const byPair = new Map<string, AttributedEnergy>();
  for (const { model, tenant, computeMs } of parts) {
    if (!(computeMs > 0)) continue;
    const pair = JSON.stringify([model, tenant]);
    const energyJ = (byPair.get(pair)?.energyJ ?? 0) + (activeJ * computeMs) / totalMs;
    byPair.set(pair, { model, tenant, energyJ });
  }
  return [...byPair.values()];
}

/** Groups attributed energy for the minute's record: by model, with tenants where a model serves others than the default tenant. */
export function energyByModel(parts: readonly AttributedEnergy[]): NonNullable<MinutePower["models"]> {
  return [...Map.groupBy(parts, ({ model }) => model)].map(([model, own]) => ({
    model,
    energyJ: own.reduce((sum, { energyJ }) => sum + energyJ, 0),
    ...(own.every(({ tenant }) => tenant === defaultTenant)
      ? {}
      : { tenants: own.map(({ tenant, energyJ }) => ({ tenant, energyJ })) }),
  }));
}
