import type { ModelTraffic } from "#protocol/messages.ts";

/** Energy that one model caused. */
export interface ModelEnergy {
  readonly model: string;
  readonly energyJ: number;
}

/**
 * Splits a minute's active energy by the models' shares of compute time, as energy meters of machines do; what the board draws with
 * nothing to do is nobody's. Energy of a minute without any computation is nobody's either: other programs caused it.
 */
export function attributeEnergy(
  activeJ: number,
  models: readonly Pick<ModelTraffic, "model" | "computeMs">[],
): ModelEnergy[] {
  const computeMs = models.reduce((sum, model) => sum + model.computeMs, 0);
  if (!(computeMs > 0)) return [];
  return models
    .filter((model) => model.computeMs > 0)
    .map((model) => ({ model: model.model, energyJ: (activeJ * model.computeMs) / computeMs }));
}
