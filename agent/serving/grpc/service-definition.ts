import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import type protobuf from "protobufjs";

/** What a handler answers with: a message's fields, or the message already encoded. */
export type Answer = Record<string, unknown> | Buffer;

/**
 * A service as the server registers it. Requests reach handlers as bytes, so that what is wrong with them is answered in the same words as
 * any other bad request; answers may be encoded already.
 */
export function serviceDefinition(service: protobuf.Service): ServiceDefinition {
  const serviceName = service.fullName.slice(1);
  const methods = service.methodsArray.map((method): [string, MethodDefinition<Buffer, Answer>] => {
    const { name, resolvedResponseType, requestStream, responseStream } = method;
    if (resolvedResponseType === null) throw new Error(`${serviceName}.${name} has no response type. This is a bug.`);
    const encode = (answer: Answer): Buffer =>
      Buffer.isBuffer(answer) ? answer : Buffer.from(resolvedResponseType.encode(answer).finish());
    return [
      name,
      {
        path: `/${serviceName}/${name}`,
        originalName: name,
        requestStream: requestStream === true,
        responseStream: responseStream === true,
        requestSerialize: (bytes) => bytes,
        requestDeserialize: (bytes) => bytes,
        responseSerialize: encode,
        responseDeserialize: (bytes) => bytes,
      },
    ];
  });
  return Object.fromEntries(methods);
}
