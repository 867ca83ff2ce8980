import { expect, test } from "bun:test";
import { join } from "node:path";
import { referenceFiles, undescribedFields } from "../scripts/build-reference.ts";

test("every field of messages and configuration is described, its null included", () => {
  expect(undescribedFields()).toEqual([]);
});

test.each([...(await referenceFiles())])(
  "%s says what the schemas say (bun scripts/build-reference.ts)",
  async (path, text) => {
    expect(await Bun.file(join(import.meta.dir, "..", path)).text()).toBe(text);
  },
);
