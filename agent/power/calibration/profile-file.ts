import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { orNull, strict } from "#platform/schema-parts.ts";
import { BoardProfile, MeasuredMode } from "./board-profile.ts";

/** Names of the files in an agent's state directory. */
export const profileFileName = "power-profile.json";
export const sweepFileName = "calibration-under-way.json";

/** Sweep under way: its subject, the mode to restore, and the modes that are measured. */
export const SweepState = Type.Object(
  {
    version: Type.Literal(1),
    /** Process that measures, or measured before it was interrupted. */
    pid: Type.Integer({ minimum: 1 }),
    board: Type.String({ maxLength: 128 }),
    model: Type.String(),
    texts: Type.String(),
    targetP95Ms: Type.Number(),
    /** Mode of the board before the sweep; null when unknown. */
    returnToModeId: orNull(Type.Integer({ minimum: 0 })),
    startedAtMs: Type.Integer({ minimum: 0 }),
    done: Type.Array(MeasuredMode, { maxItems: 32 }),
  },
  strict,
);
export type SweepState = Static<typeof SweepState>;

export type ReadFile<T> =
  | { readonly kind: "read"; readonly content: T }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly reason: string };

async function readJson<T extends TSchema>(path: string, schema: T): Promise<ReadFile<Static<T>>> {
  let text: string;
  try {
    text = await readRegularText(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "absent" };
    return { kind: "unreadable", reason: (error as Error).message };
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { kind: "unreadable", reason: `${path} is not JSON` };
  }
  const mismatches = explainMistakes(schema, content);
  if (mismatches.length === 0) return { kind: "read", content: content as Static<T> };
  return { kind: "unreadable", reason: `${path} is not valid: ${mismatches.join("; ")}` };
}

export const readProfile = (path: string): Promise<ReadFile<BoardProfile>> => readJson(path, BoardProfile);
export const readSweep = (path: string): Promise<ReadFile<SweepState>> => readJson(path, SweepState);

/** Replaces the file atomically: a reader never sees half of it. */
export async function writeWhole(path: string, content: BoardProfile | SweepState): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`);
  await rename(temporary, path);
}
