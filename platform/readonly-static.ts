import type { Static, TSchema } from "@sinclair/typebox";

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** Type of a schema's values as a decision reads them: nothing in them can be written to. */
export type ReadonlyStatic<T extends TSchema> = DeepReadonly<Static<T>>;
