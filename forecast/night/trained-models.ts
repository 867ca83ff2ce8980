import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { TextMemory } from "#forecast/forecaster.ts";

const Stored = Type.Object({
  active: Type.Union([Type.String({ pattern: "^[0-9]{1,32}$" }), Type.Null()]),
  previous: Type.Union([Type.String({ pattern: "^[0-9]{1,32}$" }), Type.Null()]),
});

/** Models that this device trained: the one in service and the previous one. */
export interface TrainedModels {
  /** Directory of the model in service; null: the configured or built-in one serves. */
  activeDirectory(): string | null;
  /** Directory for a new model. */
  directoryOf(name: string): string;
  /** Puts a model into service and keeps the one before it; older ones are deleted. */
  promote(name: string): Promise<void>;
  /** Puts the previous model back into service; the two change places. */
  rollBack(): void;
  /** Deletes all models but the one in service and the previous one. */
  removeOthers(): Promise<void>;
}

/** @param directory holds a directory per model, named by the start of its training. */
export function createTrainedModels(directory: string, memory: TextMemory): TrainedModels {
  const read = () => {
    try {
      const stored: unknown = JSON.parse(memory.load() ?? "null");
      if (Value.Check(Stored, stored)) return stored;
    } catch {
      // Not written by this program: as if nothing had been trained.
    }
    return { active: null, previous: null };
  };
  const removeOthers = async () => {
    const { active, previous } = read();
    const names = await readdir(directory).catch(() => [] as string[]);
    const old = names.filter((name) => /^\d+$/.test(name) && name !== active && name !== previous);
    // A model that can't be deleted costs disk space, but must not keep a new one out of service.
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
