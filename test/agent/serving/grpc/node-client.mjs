/**
 * A gRPC client as others have it: Node with @grpc/grpc-js, in a process of its own. Usage: node node-client.mjs HOST:PORT [CONTRACT.proto]
 * With GRPC_AUTHORITY, a file with the certificate of the authority that the server must have, it encrypts.
 * Reads one order a line from standard input and answers each with lines of JSON:
 *   {id, call: "package.Service/Method", request, metadata?, deadlineMs?}   -> {id, answer} or {id, error: {code, details, metadata}}
 *   the same for a method that streams                                      -> {id, answer} each, then {id, error} or {id, ended: true}
 *   {id, cancel: ID}                                                        -> ends the call of that id
 *   {id, learn: "package.Service"}                                          -> {id, answer: [methods]}, learned by reflection and used from then on
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const [address, contract] = process.argv.slice(2);
const authority = process.env.GRPC_AUTHORITY;
const security =
  authority === undefined ? credentials.createInsecure() : credentials.createSsl(readFileSync(authority));
const protos = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../../../agent/serving/grpc");
const options = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
const loaded = loadPackageDefinition(
  loadSync(
    [contract ?? join(protos, "embedding.proto"), join(protos, "health.proto"), join(protos, "reflection.proto")],
    options,
  ),
);
const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const clients = new Map();
const calls = new Map();

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const failure = (id, { code, details, metadata }) => ({ id, error: { code, details, metadata: metadata.getMap() } });
const at = (root, path) => path.split(".").reduce((object, name) => object[name], root);

function clientOf(service) {
  if (!clients.has(service)) clients.set(service, new (at(loaded, service))(address, security, limits));
  return clients.get(service);
}

function callOf({ id, call, request, metadata = {}, deadlineMs }) {
  const [service, method] = call.split("/");
  const client = clientOf(service);
  const { requestStream, responseStream } = client[method];
  const headers = new Metadata();
  for (const [name, value] of Object.entries(metadata)) headers.set(name, value);
  const bounds = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  if (!responseStream) {
    const done = (error, answer) => say(error ? failure(id, error) : { id, answer });
    calls.set(id, client[method](request, headers, bounds, done));
    return;
  }
  const stream = requestStream ? client[method](headers, bounds) : client[method](request, headers, bounds);
  calls.set(id, stream);
  stream.on("data", (answer) => say({ id, answer }));
  stream.on("error", (error) => say(failure(id, error)));
  stream.on("end", () => say({ id, ended: true }));
  if (!requestStream) return;
  for (const question of request) stream.write(question);
  stream.end();
}

/** The service's methods as the server itself describes them. */
function learn({ id, learn: service }) {
  const stream = clientOf("grpc.reflection.v1.ServerReflection").ServerReflectionInfo();
  stream.on("error", (error) => say(failure(id, error)));
  stream.on("data", ({ file_descriptor_response: { file_descriptor_proto: files } }) => {
    const writer = protobuf.Writer.create();
    for (const file of files) writer.uint32(10).bytes(file);
    const definition = loadFileDescriptorSetFromBuffer(Buffer.from(writer.finish()), options);
    const Client = at(loadPackageDefinition(definition), service);
    clients.set(service, new Client(address, security, limits));
    say({ id, answer: Object.keys(Client.service) });
    stream.end();
  });
  stream.write({ file_containing_symbol: service });
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.cancel !== undefined) calls.get(order.cancel)?.cancel();
  else if (order.learn !== undefined) learn(order);
  else callOf(order);
}
process.exit(0);
