import type { TSchema } from "@sinclair/typebox";
import { parseConfig } from "#platform/files/read-config.ts";

/** Returns the paths of the fields that a schema refuses in an input, as the errors name them. */
export function wrongFields(schema: TSchema, input: unknown): string[] {
  try {
    parseConfig(schema, input, "input");
    return [];
  } catch (error) {
    const [, ...mistakes] = (error as Error).message.split("\n  ");
    return mistakes.map((mistake) => mistake.slice(0, mistake.indexOf(":")));
  }
}
