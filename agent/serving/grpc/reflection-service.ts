import type { ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { ServiceError } from "#platform/errors.ts";
import { describeProtoFiles } from "./describe-proto-files.ts";
import { toGrpcError } from "./grpc-error.ts";
import type { ProtoFile, Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";

/** The packages the service goes by, the current one first. */
export const reflectionPackages = ["grpc.reflection.v1", "grpc.reflection.v1alpha"] as const;

/** Reflection is only for callers with a key. */
export const reflectionRules: ServiceRules = { openMethods: [] };

/** Of one stream: a client that looks at everything asks some twenty. */
const maxQuestions = 1_000;
/** A stream is ended when nothing was asked for so long, or when it has lasted too long; whoever has more questions opens another. */
const maxIdleMs = 60_000;
const maxStreamMs = 10 * 60_000;

const notFound = 5;
const unimplemented = 12;

/** Every full name that a file defines: packages' services, methods, messages, their fields, enums and values. */
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

interface DescribedFiles {
  byName(name: string): Buffer | undefined;
  bySymbol(symbol: string): Buffer | undefined;
}

function describeFiles(files: readonly ProtoFile[]): DescribedFiles {
  const bytes = describeProtoFiles(files);
  const fileOf = new Map<string, string>();
  for (const file of files) {
    for (const object of file.namespace.nestedArray)
      for (const symbol of symbolsOf(object)) fileOf.set(symbol, file.name);
  }
  return {
    byName: (name) => bytes.get(name),
    bySymbol: (symbol) => bytes.get(fileOf.get(symbol) ?? ""),
  };
}

/** Answers one question of a client that looks around. */
function answerQuestion(
  question: Readonly<Record<string, unknown>>,
  services: readonly string[],
  files: () => DescribedFiles,
): Record<string, unknown> {
  const failure = (code: number, message: string) => ({ error_response: { error_code: code, error_message: message } });
  const file = (bytes: Buffer | undefined, what: string) =>
    bytes === undefined
      ? failure(notFound, `there is no ${what} here`)
      : { file_descriptor_response: { file_descriptor_proto: [bytes] } };
  const { list_services, file_by_filename, file_containing_symbol } = question;
  if (list_services !== undefined) return { list_services_response: { service: services.map((name) => ({ name })) } };
  if (typeof file_by_filename === "string") return file(files().byName(file_by_filename), `file ${file_by_filename}`);
  if (typeof file_containing_symbol === "string") {
    const symbol = file_containing_symbol.replace(/^\./, "");
    return file(files().bySymbol(symbol), `symbol ${symbol}`);
  }
  if (question["file_containing_extension"] !== undefined || question["all_extension_numbers_of_type"] !== undefined) {
    return failure(notFound, "these services have no extensions");
  }
  return failure(unimplemented, "expected a question of grpc.reflection.v1, got none");
}

/**
 * The standard reflection service of one package.
 * @param services the full names that are listed
 */
export function reflectionService(
  protos: Protos,
  packageName: (typeof reflectionPackages)[number],
  services: readonly string[],
): UntypedServiceImplementation {
  const requestType = protos.type(`${packageName}.ServerReflectionRequest`);
  let described: DescribedFiles | undefined;
  const files = () => {
    described ??= describeFiles(protos.files);
    return described;
  };
  return {
    ServerReflectionInfo(call: ServerDuplexStream<Buffer, Answer>) {
      const untilMs = performance.now() + maxStreamMs;
      let questions = 0;
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
        questions += 1;
        if (questions > maxQuestions) {
          call.pause();
          fail(new ServiceError("TOO_MANY_REQUESTS", `expected at most ${maxQuestions} questions on one stream`));
          return;
        }
        expectMore();
        try {
          const question = requestType.decode(bytes);
          const fields = requestType.toObject(question);
          const answer = {
            valid_host: fields["host"] ?? "",
            original_request: question,
            ...answerQuestion(fields, services, files),
          };
          // No more is read before the client has taken what was answered.
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
