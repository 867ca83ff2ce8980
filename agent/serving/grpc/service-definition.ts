import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import type protobuf from "protobufjs";

/** What a handler answers with: a message's fields, or the message already encoded. */
export type Answer = Record<string, unknown> | Buffer;

/** Requirements of a service's methods, checked before a call. */
export interface ServiceRules {
  /** Methods that are answered without a key where keys are configured. Of all others a key is asked. */
  readonly openMethods: readonly string[];
  /** Of one request message; one that is not named takes `smallMessageBytes`. */
  readonly maxMessageBytes?: Readonly<Record<string, number>>;
}

export interface MethodRule {
  readonly path: string;
  readonly open: boolean;
  readonly maxMessageBytes: number;
  /** Requests, answers or both come as streams, so that a call may last. */
  readonly lasting: boolean;
  readonly requestStream: boolean;
}

/** Enough for a question that holds a name or nothing. */
export const smallMessageBytes = 4_096;

/**
 * The rules of each method of a service.
 * @throws Error when a rule is of a method that the service does not have.
 */
export function methodRules(service: protobuf.Service, rules: ServiceRules): MethodRule[] {
  const serviceName = service.fullName.slice(1);
  const names = new Set(service.methodsArray.map(({ name }) => name));
  for (const name of [...rules.openMethods, ...Object.keys(rules.maxMessageBytes ?? {})]) {
    if (!names.has(name)) throw new Error(`${serviceName} has no method ${name} to have a rule. This is a bug.`);
  }
  return service.methodsArray.map(({ name, requestStream, responseStream }) => ({
    path: `/${serviceName}/${name}`,
    open: rules.openMethods.includes(name),
    maxMessageBytes: rules.maxMessageBytes?.[name] ?? smallMessageBytes,
    lasting: requestStream === true || responseStream === true,
    requestStream: requestStream === true,
  }));
}

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
