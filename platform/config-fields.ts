import { type TSchema, Type } from "@sinclair/typebox";

/** Path of a file or directory. */
export const Path = Type.String({ minLength: 1, maxLength: 4096 });

/** Bounds of a number, both included. */
type Range = readonly [minimum: number, maximum: number];

/** Number of a configuration: its default, its bounds and its meaning. */
/** Name or secret as a program sends it: a line break at its end, as of YAML's block texts, would be part of it. */
export const Line = Type.String({
  minLength: 1,
  maxLength: 4096,
  pattern: "^[^\\x00-\\x1f\\x7f]*$",
  title: "1 to 4096 characters on one line",
});

export const number = (standard: number, [minimum, maximum]: Range, description: string) =>
  Type.Number({ default: standard, minimum, maximum, description });

/** Whole number of a configuration: its default, its bounds and its meaning. */
export const integer = (standard: number, [minimum, maximum]: Range, description: string) =>
  Type.Integer({ default: standard, minimum, maximum, description });

/** Value of a configuration that is null by default. */
export const orNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { default: null, description });
