import protobuf from "protobufjs";
import descriptorText from "./descriptor.proto" with { type: "text" };
import type { ProtoFile } from "./protos.ts";

/** A message of descriptor.proto. */
type Descriptor = Readonly<Record<string, unknown>>;

/** Of google.protobuf.FieldDescriptorProto.Type. */
const scalarTypes: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};
const messageType = 11;
const enumType = 14;
const labelOptional = 1;
const labelRepeated = 3;

const jsonName = (name: string) => name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** What protoc calls the message of a map's entries. */
function entryName(field: string): string {
  const camel = jsonName(field);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function typeOf(type: string, resolved: protobuf.ReflectionObject | null): Descriptor {
  if (resolved === null) {
    const scalar = scalarTypes[type];
    if (scalar === undefined) throw new Error(`a .proto file uses the unknown type ${type}. This is a bug.`);
    return { type: scalar };
  }
  return { type: resolved instanceof protobuf.Enum ? enumType : messageType, type_name: resolved.fullName };
}

function describeField(field: protobuf.Field, oneofs: readonly protobuf.OneOf[]): Descriptor {
  const { name, id, repeated, partOf, parent } = field;
  const base = { name, number: id, label: repeated ? labelRepeated : labelOptional, json_name: jsonName(name) };
  if (field instanceof protobuf.MapField) {
    const type_name = `${parent?.fullName}.${entryName(name)}`;
    return { ...base, label: labelRepeated, type: messageType, type_name };
  }
  const oneof = partOf === null ? {} : { oneof_index: oneofs.indexOf(partOf) };
  // `optional` is, to those who don't know it, a oneof of one field.
  const optional = partOf?.isProto3Optional === true ? { proto3_optional: true } : {};
  return { ...base, ...typeOf(field.type, field.resolvedType), ...oneof, ...optional };
}

function describeMapEntry(field: protobuf.MapField): Descriptor {
  const place = (name: string, number: number) => ({ name, number, label: labelOptional, json_name: name });
  return {
    name: entryName(field.name),
    field: [
      { ...place("key", 1), ...typeOf(field.keyType, null) },
      { ...place("value", 2), ...typeOf(field.type, field.resolvedType) },
    ],
    options: { map_entry: true },
  };
}

function describeEnum({ name, values }: protobuf.Enum): Descriptor {
  return { name, value: Object.entries(values).map(([value, number]) => ({ name: value, number })) };
}

function describeMessage(type: protobuf.Type): Descriptor {
  // As protoc orders them: oneofs that are written as such first.
  const oneofs = [...type.oneofsArray].sort((a, b) => Number(a.isProto3Optional) - Number(b.isProto3Optional));
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field.resolve(), oneofs)),
    nested_type: [...maps.map(describeMapEntry), ...type.nestedArray.filter(isType).map(describeMessage)],
    enum_type: type.nestedArray.filter(isEnum).map(describeEnum),
    oneof_decl: oneofs.map(({ name }) => ({ name })),
  };
}

function describeService(service: protobuf.Service): Descriptor {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => {
      const { name, resolvedRequestType, resolvedResponseType, requestStream, responseStream } = method;
      return {
        name,
        input_type: resolvedRequestType?.fullName,
        output_type: resolvedResponseType?.fullName,
        ...(requestStream === true ? { client_streaming: true } : {}),
        ...(responseStream === true ? { server_streaming: true } : {}),
      };
    }),
  };
}

const isType = (object: protobuf.ReflectionObject) => object instanceof protobuf.Type;
const isEnum = (object: protobuf.ReflectionObject) => object instanceof protobuf.Enum;
const isService = (object: protobuf.ReflectionObject) => object instanceof protobuf.Service;

function describeFile({ name, packageName, namespace: { nestedArray } }: ProtoFile): Descriptor {
  return {
    name,
    package: packageName,
    message_type: nestedArray.filter(isType).map(describeMessage),
    enum_type: nestedArray.filter(isEnum).map(describeEnum),
    service: nestedArray.filter(isService).map(describeService),
    syntax: "proto3",
  };
}

/**
 * The google.protobuf.FileDescriptorProto of each file, by the file's name, encoded: what protoc makes of them (without source positions),
 * and what reflection answers with. protobufjs' own `toDescriptor` leaves out what clients need to tell an absent value from a zero,
 * and names the entries of maps otherwise than C++ accepts.
 */
export function describeProtoFiles(files: readonly ProtoFile[]): Map<string, Buffer> {
  const { root } = protobuf.parse(descriptorText, { keepCase: true });
  const type = root.lookupType("google.protobuf.FileDescriptorProto");
  return new Map(files.map((file) => [file.name, Buffer.from(type.encode(describeFile(file)).finish())]));
}
