import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

/** A text that is kept from one run to the next. */
export interface TextMemory {
  load(): string | null;
  save(text: string): void;
}

const Stored = Type.Object({
  active: Type.Union([Type.String({ pattern: "^[0-9]{1,32}$" }), Type.Null()]),
  previous: Type.Union([Type.String({ pattern: "^[0-9]{1,32}$" }), Type.Null()]),
});

/** The models that this device trained: the one in service and the one before it. */
export interface TrainedModels {
  /** null: the configured model, or the one that the program carries. */
  activeDirectory(): string | null;
  /** Where a new model is written. */
  directoryOf(name: string): string;
  /** Takes a model into service and keeps the one before it; older ones are deleted. */
  promote(name: string): Promise<void>;
  /** Takes the model before into service again; it and the present one change places. */
  rollBack(): void;
  /** Deletes what is neither in service nor the one before. */
  removeOthers(): Promise<void>;
}

/** @param directory holds a directory a model, named by when its training began. */
export function createTrainedModels(directory: string, memory: TextMemory): TrainedModels {
  const read = () => {
    try {
      const stored: unknown = JSON.parse(memory.load() ?? "null");
      if (Value.Check(Stored, stored)) return stored;
    } catch {
      // Not what this program wrote: as if nothing had been trained.
    }
    return { active: null, previous: null };
  };
  const removeOthers = async () => {
    const { active, previous } = read();
    const names = await readdir(directory).catch(() => [] as string[]);
    const old = names.filter((name) => /^\d+$/.test(name) && name !== active && name !== previous);
    // One that can't be deleted costs room, and must not cost the model that takes its place.
    await Promise.allSettled(old.map((name) => rm(join(directory, name), { recursive: true, force: true })));
  };
  return {
    activeDirectory() {
      const { active } = read();
      return active === null ? null : join(directory, active);
    },
    directoryOf: (name) => join(directory, name),
    async promote(name) {
      memory.save(JSON.stringify({ active: name, previous: read().active }));
      await removeOthers();
    },
    rollBack() {
      const { active, previous } = read();
      memory.save(JSON.stringify({ active: previous, previous: active }));
    },
    removeOthers,
  };
}
