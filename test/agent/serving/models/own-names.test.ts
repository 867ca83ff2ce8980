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
      ["small", "serving.aliases.small: expected a name of its own, got the id of another model"],
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
  const byName = modelsByName(namesOf(all));
  expect(byName.get("small")?.manifest.id).toBe("small");
  expect(byName.get("large-files")?.manifest.id).toBe("large");
  expect(byName.get("l")?.manifest.id).toBe("large");
});
