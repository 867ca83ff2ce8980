import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import type protobuf from "protobufjs";

/** A handler's answer: a message's fields, or the encoded message. */
export type Answer = Record<string, unknown> | Buffer;

export interface ServiceRules {
  /** Methods that need no key where keys are configured; all others do. */
  readonly openMethods: readonly string[];
  /** Maximum size of a method's request message; default: `smallMessageBytes`. */
  readonly maxMessageBytes?: Readonly<Record<string, number>>;
  /** Methods that count against the limits of their caller's tenant. */
  readonly computingMethods?: readonly string[];
}

export interface MethodRule {
  readonly path: string;
  readonly open: boolean;
  readonly maxMessageBytes: number;
  /** Requests, answers or both are streams, so a call may take long. */
  readonly lasting: boolean;
  readonly requestStream: boolean;
  /** Counts against the limits of its caller's tenant. */
  readonly computes: boolean;
}

/** Enough for a request that holds one name or nothing. */
const smallMessageBytes = 4_096;

/**
 * Lists the rules of each method of a service.
 * @throws Error for a rule of a method that the service does not have.
 */
export function methodRules(service: protobuf.Service, rules: ServiceRules): MethodRule[] {
  const serviceName = service.fullName.slice(1);
  const names = new Set(service.methodsArray.map(({ name }) => name));
  for (const name of [
    ...rules.openMethods,
    ...(rules.computingMethods ?? []),
    ...Object.keys(rules.maxMessageBytes ?? {}),
  ]) {
    if (!names.has(name))
      throw new Error(`${serviceName} has rules for the method ${name}, which it does not have. This is a bug.`);
  }
  return service.methodsArray.map(({ name, requestStream, responseStream }) => ({
    path: `/${serviceName}/${name}`,
    open: rules.openMethods.includes(name),
    maxMessageBytes: rules.maxMessageBytes?.[name] ?? smallMessageBytes,
    lasting: requestStream === true || responseStream === true,
    requestStream: requestStream === true,
    computes: rules.computingMethods?.includes(name) === true,
  }));
}

/**
 * Defines a service for the server. Requests reach handlers as bytes, so that invalid ones get the same errors as any other bad request; answers
 * may be encoded already.
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
