import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { embeddedModels } from "#models/embedded-models.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { findModel, isModelDirectory, type OnnxChoices, readModelDirectory } from "./find-model.ts";
import type { FoundModel } from "./model-manifest.ts";

/** The models that can be loaded, by all their names. */
export interface AvailableModels {
  /** Looks at the directories again: what was pulled since is there then, what was removed is not. */
  refresh(): Promise<void>;
  /** By id, directory or alias, in whatever case; null where there is none. */
  find(name: string): FoundModel | null;
  /** Why the directory of this name is left out; null where it isn't. */
  problem(name: string): string | null;
  /** Directories that are left out, and why. */
  problems(): ReadonlyMap<string, string>;
  /** As of the last refresh. */
  list(): readonly FoundModel[];
}

/** The directories that may hold models, a directory each; the first that has a model wins. */
export function modelPlaces(configuredDirectory: string | null, pulledDirectory: string | null): string[] {
  const places = [configuredDirectory, join(dirname(process.execPath), "models"), pulledDirectory];
  return places.filter((place) => place !== null);
}

async function directoriesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    // What is being pulled has a name that begins with a dot until it is whole. A link may lead to a directory.
    return entries
      .filter((entry) => !entry.name.startsWith(".") && !entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch {
    return []; // it need not exist
  }
}

interface ModelPlace {
  /** Its path within the directory of models: `name`, or `organisation/name`. */
  readonly name: string;
  readonly directory: string;
}

async function modelsIn(place: string): Promise<ModelPlace[]> {
  const found: ModelPlace[] = [];
  for (const name of await directoriesIn(place)) {
    const directory = join(place, name);
    if (isModelDirectory(directory)) found.push({ name, directory });
    else {
      for (const inner of await directoriesIn(directory)) {
        const innerDirectory = join(directory, inner);
        if (isModelDirectory(innerDirectory)) found.push({ name: `${name}/${inner}`, directory: innerDirectory });
      }
    }
  }
  return found;
}

/** Two readings that found the same: then the first is kept, and what was made of it stays. */
const isSame = (a: FoundModel, b: FoundModel) => JSON.stringify(a) === JSON.stringify(b);

/** Empty before the first refresh. A directory that can't be read is logged once and left out. */
export function createAvailableModels(places: readonly string[], choices: OnnxChoices, log: Logger): AvailableModels {
  let found: readonly FoundModel[] = [];
  let byName = new Map<string, FoundModel>();
  let problems = new Map<string, string>();

  const readAll = async () => {
    const readings: { name: string; model: FoundModel }[] = [];
    const problemsNow = new Map<string, string>();
    for (const { name, directory } of (await Promise.all(places.map(modelsIn))).flat()) {
      try {
        readings.push({ name, model: await readModelDirectory(directory, choices, name) });
      } catch (error) {
        const reason = describeError(error);
        if (problems.get(name) !== reason) log.error({ directory }, `this model is left out: ${reason}`);
        problemsNow.set(name, reason);
      }
    }
    problems = problemsNow;
    for (const id of Object.keys(embeddedModels))
      readings.push({ name: id, model: await findModel(id, null, choices) });
    return readings;
  };

  return {
    async refresh() {
      const known = new Map(found.map((model) => [model.manifest.id, model]));
      const models = new Map<string, { readonly name: string; readonly model: FoundModel }>();
      for (const { name, model } of await readAll()) {
        const { id } = model.manifest;
        if (models.has(id)) continue;
        const before = known.get(id);
        models.set(id, { name, model: before !== undefined && isSame(before, model) ? before : model });
      }
      const all = [...models.values()];
      found = all.map(({ model }) => model);
      byName = new Map();
      // From the strongest names to the weakest: no model is hidden by another one's alias.
      const names = [
        ...all.map(({ model }) => [model.manifest.id, model] as const),
        ...all.map(({ name, model }) => [name, model] as const),
        ...all.flatMap(({ model }) => model.manifest.aliases.map((alias) => [alias, model] as const)),
      ];
      for (const [name, model] of names) {
        const key = name.toLowerCase();
        if (!byName.has(key)) byName.set(key, model);
      }
    },
    find: (name) => byName.get(name.toLowerCase()) ?? null,
    problem(name) {
      const wanted = name.toLowerCase();
      for (const [directory, reason] of problems) if (directory.toLowerCase() === wanted) return reason;
      return null;
    },
    problems: () => problems,
    list: () => found,
  };
}
