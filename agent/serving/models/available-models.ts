import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { embeddedModels } from "#models/embedded-models.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { findModel, isModelDirectory, type OnnxChoices, readModelDirectory } from "./find-model.ts";
import type { FoundModel } from "./model-manifest.ts";
import { addOwnNames, modelsByName, namesOf, type ReadModel } from "./own-names.ts";

/** Models that can be loaded, by all their names. */
export type AvailableModels = ReturnType<typeof createAvailableModels>;

/** Directories that hold one directory a model; the first that has a model wins. */
export function modelPlaces(configuredDirectory: string | null, pulledDirectory: string | null): string[] {
  const places = [configuredDirectory, join(dirname(process.execPath), "models"), pulledDirectory];
  return places.filter((place) => place !== null);
}

async function directoriesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    // A model that is still being pulled has a name that begins with a dot. A link may lead to a directory.
    return entries
      .filter((entry) => !entry.name.startsWith(".") && !entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch {
    return []; // it need not exist
  }
}

/** Finds the models of a directory, by their paths within it: `name` or `organisation/name`. */
async function modelsIn(place: string) {
  const found: { name: string; directory: string }[] = [];
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

/** Spellings of models' names that are remembered. */
const maxSpellings = 256;

/** Compares two readings; when they are equal the first object is kept, because a loaded model refers to it. */
const isSame = (a: FoundModel, b: FoundModel) => JSON.stringify(a) === JSON.stringify(b);

/**
 * Returns an empty list of models until the first refresh. A directory that can't be read is logged once and left out.
 * @param places directories to look in, besides the executable; null: there are no models at all
 * @param ownNames models by names that the operator gives them
 */
export function createAvailableModels(
  places: readonly string[] | null,
  choices: OnnxChoices,
  log: Logger,
  ownNames: Readonly<Record<string, string>> = {},
) {
  let found: readonly FoundModel[] = [];
  let findByName = modelsByName([]);
  /** Models by names as clients wrote them: most requests name one in the same way. */
  let bySpelling = new Map<string, FoundModel>();
  let problems = new Map<string, string>();
  let nameProblems: ReadonlyMap<string, string> = new Map();

  const readAll = async (): Promise<ReadModel[]> => {
    if (places === null) return [];
    const readings: { name: string; model: FoundModel }[] = [];
    const problemsNow = new Map<string, string>();
    for (const { name, directory } of (await Promise.all(places.map(modelsIn))).flat()) {
      try {
        readings.push({ name, model: await readModelDirectory(directory, choices, name) });
      } catch (error) {
        const reason = describeError(error);
        if (problems.get(name) !== reason) log.error({ directory }, `model left out: ${reason}`);
        problemsNow.set(name, reason);
      }
    }
    problems = problemsNow;
    for (const id of Object.keys(embeddedModels))
      readings.push({ name: id, model: await findModel(id, null, choices) });
    return readings;
  };

  const findAnyCase = (name: string): FoundModel | null => {
    const model = findByName(name) ?? null;
    if (model !== null && bySpelling.size < maxSpellings) bySpelling.set(name, model);
    return model;
  };

  return {
    /** Reads the directories again: models pulled since are added, removed ones left out. */
    async refresh(): Promise<void> {
      const known = new Map(found.map((model) => [model.manifest.id, model]));
      const read = new Map<string, ReadModel>();
      for (const each of await readAll()) if (!read.has(each.model.manifest.id)) read.set(each.model.manifest.id, each);
      const named = addOwnNames([...read.values()], ownNames);
      const all = named.models.map(({ name, model }) => {
        const before = known.get(model.manifest.id);
        return { name, model: before !== undefined && isSame(before, model) ? before : model };
      });
      found = all.map(({ model }) => model);
      const own = Object.keys(ownNames).flatMap((name) =>
        found.filter(({ manifest }) => manifest.aliases.includes(name)).map((model) => [name, model] as const),
      );
      const [ids, others] = [namesOf(all).slice(0, all.length), namesOf(all).slice(all.length)];
      findByName = modelsByName([...ids, ...own, ...others]);
      bySpelling = new Map();
      for (const [name, reason] of named.problems) {
        if (nameProblems.get(name) !== reason) log.error({}, reason);
        problems.set(name, reason);
      }
      nameProblems = named.problems;
    },
    /** Finds a model by id, directory or alias, ignoring case. */
    find: (name: string): FoundModel | null => bySpelling.get(name) ?? findAnyCase(name),
    /** Returns the reason why the directory of this name is left out; null when it isn't. */
    problem(name: string): string | null {
      const wanted = name.toLowerCase();
      for (const [directory, reason] of problems) if (directory.toLowerCase() === wanted) return reason;
      return null;
    },
    problems: (): ReadonlyMap<string, string> => problems,
    /** Models as of the last refresh. */
    list: (): readonly FoundModel[] => found,
  };
}
