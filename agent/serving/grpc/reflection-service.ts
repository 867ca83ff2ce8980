import type { ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { ServiceError } from "#platform/errors.ts";
import { minuteMs } from "#platform/time.ts";
import fileDescriptors from "./file-descriptors.json";
import { toGrpcError } from "./grpc-error.ts";
import type { ProtoFile, Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";

/** Packages of the service, the current one first. */
export const reflectionPackages = ["grpc.reflection.v1", "grpc.reflection.v1alpha"] as const;

/** Reflection needs a key. */
export const reflectionRules: ServiceRules = { openMethods: [] };

/** Maximum requests on one stream; a client that looks at everything makes some 20. */
const maxRequests = 1_000;
/** A stream is ended when it is idle or open for too long; its client can open another. */
const maxIdleMs = minuteMs;
const maxStreamMs = 10 * minuteMs;

const notFound = 5;
const unimplemented = 12;

/** Lists the full names in a definition: services, methods, messages, fields, enums and values. */
function symbolsOf(object: protobuf.ReflectionObject): string[] {
  const { nestedArray, methodsArray, fieldsArray, oneofsArray, values, parent } = object as protobuf.Type &
    protobuf.Service &
    protobuf.Enum;
  const own = object.fullName.slice(1);
  const inside = [...(nestedArray ?? []), ...(methodsArray ?? []), ...(fieldsArray ?? []), ...(oneofsArray ?? [])];
  // An enum's values are siblings of the enum.
  const siblings = Object.keys(values ?? {}).map((value) => `${parent?.fullName.slice(1)}.${value}`);
  return [own, ...siblings, ...inside.flatMap(symbolsOf)];
}

/** protoc's encoded google.protobuf.FileDescriptorProto of each file, in base64 (scripts/fixtures/grpc-descriptors.py). */
const descriptors = new Map(Object.entries(fileDescriptors).map(([name, { descriptor }]) => [name, descriptor]));

function filesBySymbol(files: readonly ProtoFile[]): ReadonlyMap<string, string> {
  return new Map(
    files.flatMap(({ name, namespace }) =>
      namespace.nestedArray.flatMap(symbolsOf).map((symbol): [string, string] => [symbol, name]),
    ),
  );
}

function answerRequest(
  request: Readonly<Record<string, unknown>>,
  services: readonly string[],
  fileOf: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const failure = (code: number, message: string) => ({ error_response: { error_code: code, error_message: message } });
  const file = (name: string, what: string) => {
    const descriptor = descriptors.get(name);
    return descriptor === undefined
      ? failure(notFound, `there is no ${what}`)
      : { file_descriptor_response: { file_descriptor_proto: [Buffer.from(descriptor, "base64")] } };
  };
  const { list_services, file_by_filename, file_containing_symbol } = request;
  if (list_services !== undefined) return { list_services_response: { service: services.map((name) => ({ name })) } };
  if (typeof file_by_filename === "string") return file(file_by_filename, `file ${file_by_filename}`);
  if (typeof file_containing_symbol === "string") {
    const symbol = file_containing_symbol.replace(/^\./, "");
    return file(fileOf.get(symbol) ?? "", `symbol ${symbol}`);
  }
  if (request["file_containing_extension"] !== undefined || request["all_extension_numbers_of_type"] !== undefined) {
    return failure(notFound, "these services have no extensions");
  }
  return failure(unimplemented, "expected a request of grpc.reflection.v1, got an empty one");
}

/**
 * Implements the standard reflection service of one package.
 * @param services full names to list
 */
export function reflectionService(
  protos: Protos,
  packageName: (typeof reflectionPackages)[number],
  services: readonly string[],
): UntypedServiceImplementation {
  const requestType = protos.type(`${packageName}.ServerReflectionRequest`);
  const fileOf = filesBySymbol(protos.files);
  return {
    ServerReflectionInfo(call: ServerDuplexStream<Buffer, Answer>) {
      const untilMs = performance.now() + maxStreamMs;
      let requests = 0;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const finish = () => clearTimeout(timer);
      const fail = (error: ServiceError) => {
        finish();
        call.emit("error", toGrpcError(error));
      };
      const expectMore = () => {
        clearTimeout(timer);
        const overdue = () =>
          fail(new ServiceError("DEADLINE_EXCEEDED", "the stream was idle for too long: open a new one"));
        timer = setTimeout(overdue, Math.min(maxIdleMs, untilMs - performance.now()));
        timer.unref();
      };
      expectMore();
      call.on("cancelled", finish);
      call.on("close", finish);
      call.on("data", (bytes) => {
        requests += 1;
        if (requests > maxRequests) {
          call.pause();
          fail(new ServiceError("TOO_MANY_REQUESTS", `expected at most ${maxRequests} requests on one stream`));
          return;
        }
        expectMore();
        try {
          const request = requestType.decode(bytes);
          const fields = requestType.toObject(request);
          const answer = {
            valid_host: fields["host"] ?? "",
            original_request: request,
            ...answerRequest(fields, services, fileOf),
          };
          // No more is read before the client has read the answer.
          call.pause();
          call.write(answer, () => call.resume());
        } catch (cause) {
          const message = "the request is not a valid ServerReflectionRequest message";
          fail(new ServiceError("INVALID_REQUEST", message, { cause }));
        }
      });
      call.on("end", () => {
        finish();
        call.end();
      });
    },
  };
}
