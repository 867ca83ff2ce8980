import { type TSchema, Type } from "@sinclair/typebox";

/** Schema of an optional field; null counts as absent, because some clients send it for fields without a value. */
export const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
