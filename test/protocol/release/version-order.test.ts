import { describe, expect, test } from "bun:test";
import { compareVersions, versionPattern } from "#protocol/release/version-order.ts";

/** Each is older than the next (the order of semver 2's own example). */
const inOrder = [
  ...["0.0.9", "0.1.0-1", "0.1.0-2", "0.1.0-11", "0.1.0-alpha", "0.1.0-alpha.1", "0.1.0-alpha.beta", "0.1.0-beta"],
  ...["0.1.0-beta.2", "0.1.0-beta.11", "0.1.0-rc.1", "0.1.0", "0.1.1", "0.2.0", "0.10.0", "1.0.0", "1.0.9", "1.0.10"],
];

describe("order of versions", () => {
  test("every pair of the list", () => {
    for (const [index, one] of inOrder.entries())
      for (const [otherIndex, other] of inOrder.entries())
        expect({ one, other, order: Math.sign(compareVersions(one, other)) }).toEqual({
          ...{ one, other },
          order: Math.sign(index - otherIndex),
        });
  });

  test.each(inOrder)("%s is a version", (version) => expect(version).toMatch(new RegExp(versionPattern)));

  test.each([
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "01.2.3",
    "1.2.3-",
    "1.2.3-a..b",
    "1.2.3+build",
    "1.2.3\n",
    "../1.2.3",
  ])("%j is none", (text) => expect(text).not.toMatch(new RegExp(versionPattern)));
});
