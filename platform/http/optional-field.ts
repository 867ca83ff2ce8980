import { type TSchema, Type } from "@sinclair/typebox";

/** A field that may be left out; null counts as left out, because clients that have no value for a field may send that. */
export const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
