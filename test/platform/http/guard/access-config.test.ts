import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { parseConfig } from "#platform/files/read-config.ts";
import { ApiKeyText } from "#platform/http/guard/access-config.ts";

const Keys = Type.Object({ keys: Type.Array(Type.Union([ApiKeyText, Type.Object({ key: ApiKeyText })])) });

describe("an API key", () => {
  test.each([
    { name: "8 characters", key: "12345678", valid: true },
    { name: "256 characters", key: "x".repeat(256), valid: true },
    { name: "7 characters", key: "secret7", valid: false },
    { name: "257 characters", key: "s".repeat(257), valid: false },
    { name: "a blank inside", key: "secret key", valid: false },
    { name: "a line's end behind it", key: "secret-key\n", valid: false },
    { name: "a character that no header carries", key: "secret-k\u00e9y", valid: false },
  ])("$name: valid $valid, and no message shows it", ({ key, valid }) => {
    for (const entry of [key, { key }]) {
      const attempt = () => parseConfig(Keys, { keys: [entry] }, "the file");
      if (valid) expect(attempt).not.toThrow();
      else {
        const where = typeof entry === "string" ? "keys.0" : "keys.0.key";
        const message = `the file is not valid:\n  ${where}: expected 8 to 256 printable ASCII characters without spaces, got a string (not shown)`;
        expect(attempt).toThrow(message);
      }
    }
  });
});
