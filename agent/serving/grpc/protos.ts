import protobuf from "protobufjs";
import embeddingText from "./embedding.proto" with { type: "text" };
import healthText from "./health.proto" with { type: "text" };
import reflectionText from "./reflection.proto" with { type: "text" };

export interface ProtoFile {
  /** Name by which clients import it. */
  readonly name: string;
  readonly packageName: string;
  readonly namespace: protobuf.Namespace;
}

export type Protos = ReturnType<typeof loadProtos>;

const texts: readonly { readonly name: string; readonly text: string }[] = [
  { name: "akidb/embedding/v1/embedding.proto", text: embeddingText },
  { name: "grpc/health/v1/health.proto", text: healthText },
  { name: "grpc/reflection/v1/reflection.proto", text: reflectionText },
  // For older clients; its messages are the same.
  {
    name: "grpc/reflection/v1alpha/reflection.proto",
    text: reflectionText.replace("package grpc.reflection.v1;", "package grpc.reflection.v1alpha;"),
  },
];

/** Parses the embedded .proto files. Field names are kept as they are written. */
export function loadProtos() {
  const root = new protobuf.Root();
  const files = texts.map(({ name, text }) => {
    const { package: packageName } = protobuf.parse(text, root, { keepCase: true });
    if (packageName === undefined) throw new Error(`${name} names no package. This is a bug.`);
    const namespace = root.lookup(packageName) as protobuf.Namespace;
    return { name, packageName, namespace };
  });
  root.resolveAll();
  return {
    files,
    /** @param fullName e.g. `akidb.embedding.v1.EmbedRequest` */
    type: (fullName: string): protobuf.Type => root.lookupType(fullName),
    service: (fullName: string): protobuf.Service => root.lookupService(fullName),
  };
}
