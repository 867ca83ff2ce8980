import type { MinuteData } from "#protocol/messages.ts";

/** Name to put in the place of a tenant's; the same one where it stays. */
export type NameOf = (tenant: string) => string;

interface Named {
  readonly tenant: string;
}
const renamed = <T extends Named>(tenants: readonly T[], nameOf: NameOf): T[] =>
  tenants.map((each) => ({ ...each, tenant: nameOf(each.tenant) }));

/** A minute with other names in the place of its tenants'; the same one where nothing changes. */
export function renameTenants(data: MinuteData, nameOf: NameOf): MinuteData {
  const named = [...data.traffic.models, ...(data.power?.models ?? [])].flatMap(
    ({ tenants = [] }) => tenants as Named[],
  );
  if (named.every(({ tenant }) => nameOf(tenant) === tenant)) return data;
  const models = data.traffic.models.map((model) =>
    model.tenants === undefined ? model : { ...model, tenants: renamed(model.tenants, nameOf) },
  );
  const power =
    data.power?.models === undefined
      ? data.power
      : {
          ...data.power,
          models: data.power.models.map((model) =>
            model.tenants === undefined ? model : { ...model, tenants: renamed(model.tenants, nameOf) },
          ),
        };
  return { ...data, traffic: { ...data.traffic, models }, power };
}
