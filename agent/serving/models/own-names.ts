import type { FoundModel } from "./model-manifest.ts";

/** A model, and the name of its directory. */
export interface ReadModel {
  readonly name: string;
  readonly model: FoundModel;
}

/** Lists all names of models from the strongest to the weakest, so that no model is hidden by another one's alias. */
export function namesOf(all: readonly ReadModel[]): (readonly [name: string, model: FoundModel])[] {
  return [
    ...all.map(({ model }) => [model.manifest.id, model] as const),
    ...all.map(({ name, model }) => [name, model] as const),
    ...all.flatMap(({ model }) => model.manifest.aliases.map((alias) => [alias, model] as const)),
  ];
}

/**
 * Creates a search for models by name, ignoring case; of equal names the first counts. Of models whose ids or directories differ only in case each is
 * found as it is written: the other one would give another model's vectors.
 */
export function modelsByName(
  names: readonly (readonly [name: string, model: FoundModel])[],
): (name: string) => FoundModel | undefined {
  const byName = new Map<string, FoundModel>();
  for (const [name, model] of names)
    if (!byName.has(name) && !model.manifest.aliases.includes(name)) byName.set(name, model);
  for (const [name, model] of names) if (!byName.has(name.toLowerCase())) byName.set(name.toLowerCase(), model);
  return (name) => byName.get(name) ?? byName.get(name.toLowerCase());
}

/**
 * Adds the operator's names for models to their aliases, before those that the models bring.
 * @param ownNames models by the operator's names
 * @returns the models, and the reasons why a name can't be used
 */
export function addOwnNames(
  all: readonly ReadModel[],
  ownNames: Readonly<Record<string, string>>,
): { readonly models: readonly ReadModel[]; readonly problems: ReadonlyMap<string, string> } {
  const findByName = modelsByName(namesOf(all));
  const ids = new Map(all.map(({ model }) => [model.manifest.id.toLowerCase(), model]));
  const namesById = new Map<string, string[]>();
  const problems = new Map<string, string>();
  for (const [name, target] of Object.entries(ownNames)) {
    const model = findByName(target);
    const other = ids.get(name.toLowerCase());
    if (model === undefined) problems.set(name, `serving.aliases.${name}: there is no model ${target}`);
    else if (other !== undefined && other !== model)
      problems.set(name, `serving.aliases.${name}: expected a new name, got the id of another model`);
    else namesById.set(model.manifest.id, [...(namesById.get(model.manifest.id) ?? []), name]);
  }
  const models = all.map(({ name, model }) => {
    const own = namesById.get(model.manifest.id);
    if (own === undefined) return { name, model };
    const aliases = [...own, ...model.manifest.aliases];
    return { name, model: { ...model, manifest: { ...model.manifest, aliases } } };
  });
  return { models, problems };
}

/** Returns the model that the operator gave this name, or the name itself where it is none of theirs. */
export function modelOfOwnName(name: string, ownNames: Readonly<Record<string, string>>): string {
  const own = Object.entries(ownNames).find(([each]) => each.toLowerCase() === name.toLowerCase());
  return own?.[1] ?? name;
}
