import { type ObjectOptions, type TProperties, type TSchema, Type } from "@sinclair/typebox";

/** Option of an object that has no other fields than those named. */
export const strict = { additionalProperties: false } as const;

/** Object without other fields than these. */
export const strictObject = <T extends TProperties>(properties: T, options: ObjectOptions = {}) =>
  Type.Object(properties, { ...strict, ...options });

export const literals = <T extends string>(...values: T[]) => Type.Union(values.map((value) => Type.Literal(value)));

export const orNull = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
