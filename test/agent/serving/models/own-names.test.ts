import { describe, expect, test } from "bun:test";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { addOwnNames, modelOfOwnName, modelsByName, namesOf } from "#agent/serving/models/own-names.ts";

const model = (name: string, id: string, aliases: string[] = []) => ({
  name,
  model: { manifest: { id, aliases } } as unknown as FoundModel,
});
const all = [model("org/small", "small", ["s"]), model("large-files", "large", ["l", "small"])];

describe("names of one's own", () => {
  test.each([
    ["by id", "large"],
    ["by directory", "large-files"],
    ["by alias", "L"],
  ])("a model %s gets the name before its own aliases", (_, target) => {
    const { models, problems } = addOwnNames(all, { mine: target, "text-embedding-3-small": target });
    expect(models[1]?.model.manifest.aliases).toEqual(["mine", "text-embedding-3-small", "l", "small"]);
    expect(models[0]).toEqual(all[0] as (typeof all)[0]);
    expect(problems.size).toBe(0);
  });

  test("a model that is not there, and the id of another model, are said", () => {
    const { models, problems } = addOwnNames(all, { mine: "none", small: "large" });
    expect(models).toEqual(all);
    expect([...problems]).toEqual([
      ["mine", "serving.aliases.mine: there is no model none"],
      ["small", "serving.aliases.small: expected a new name, got the id of another model"],
    ]);
  });

  test("a model's own id as its name is no mistake", () => {
    expect(addOwnNames(all, { SMALL: "small" }).problems.size).toBe(0);
  });

  test("the model of a name, ignoring case; other names are kept", () => {
    expect(modelOfOwnName("Mine", { mine: "org/small" })).toBe("org/small");
    expect(modelOfOwnName("other", { mine: "org/small" })).toBe("other");
  });
});

test("an id outranks a directory, which outranks an alias", () => {
  const find = modelsByName(namesOf(all));
  expect(find("small")?.manifest.id).toBe("small");
  expect(find("large-files")?.manifest.id).toBe("large");
  expect(find("l")?.manifest.id).toBe("large");
});

test("models whose names differ only in case are told apart, and an id outranks an alias in any case", () => {
  const twins = [
    model("E5", "E5"),
    model("e5", "e5"),
    model("Dir", "x"),
    model("dir", "y"),
    model("z", "z", ["X", "Own"]),
  ];
  const find = modelsByName(namesOf(twins));
  const ids = ["E5", "e5", "Dir", "dir", "x", "X", "own", "OWN", "DIR", "none"].map((name) => find(name)?.manifest.id);
  expect(ids).toEqual(["E5", "e5", "x", "y", "x", "x", "z", "z", "y", undefined]);
});
