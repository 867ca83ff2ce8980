import { type ServerUnaryCall, type sendUnaryData, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { Logger } from "#platform/log.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { CallGate } from "./call-gate.ts";
import { answerBytes, createEmbedReader, createEmbedWriter } from "./embed-messages.ts";
import { explainToClient } from "./grpc-error.ts";
import type { Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";
import { traceCall } from "./trace-call.ts";

type UnaryCall = ServerUnaryCall<Buffer, Answer>;

/** What the service tells of serving, in the shapes that the HTTP face answers with. */
export interface ServingView {
  /**
   * As `GET /health` has it.
   * @param detailed false: without what names models, paths and addresses
   */
  health(detailed: boolean): Record<string, unknown>;
  /** As `GET /models` has them. */
  models(): Promise<readonly object[]>;
}

const embeddingPackage = "akidb.embedding.v1";
export const embeddingServiceName = `${embeddingPackage}.EmbeddingService`;

/** As `GET /health`, `Health` is for probes, which have no key. */
export const embeddingRules = (maxMessageBytes: number): ServiceRules => ({
  openMethods: ["Health"],
  maxMessageBytes: { Embed: maxMessageBytes },
});

/** Protocol Buffers know no null: what is null is left out. */
function withoutNulls(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** How long the client waits: the call's deadline, seen from now. Undefined = for as long as it takes. */
function latencyBudgetMs(call: UnaryCall): number | undefined {
  const deadline = call.getDeadline();
  const atMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(atMs) ? Math.max(1, Math.floor(atMs - Date.now())) : undefined;
}

/** `Embed`, `Health` and `ListModels`: what `/api/v1/embed`, `/health` and `/models` do, with the same limits, key and errors. */
export function embeddingService(parts: {
  readonly protos: Protos;
  readonly embedder: Embedder;
  readonly view: ServingView;
  readonly maxInputs: number;
  readonly callOf: CallGate["callOf"];
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
}): UntypedServiceImplementation {
  const { protos, embedder, view, callOf, log } = parts;
  const readEmbed = createEmbedReader(protos.type(`${embeddingPackage}.EmbedRequest`), parts.maxInputs);
  const writeEmbed = createEmbedWriter(
    protos.type(`${embeddingPackage}.EmbedResponse`),
    protos.type(`${embeddingPackage}.Embedding`),
  );

  const answering =
    (answer: (call: UnaryCall) => Promise<Answer>, traced?: Tracing) =>
    (call: UnaryCall, send: sendUnaryData<Answer>): void => {
      const logBug = (err: unknown) => log.error({ err, method: call.getPath() }, "call failed: this is a bug");
      const respond = async (): Promise<number> => {
        try {
          send(null, await answer(call));
          return status.OK;
        } catch (error) {
          const failure = explainToClient(error, logBug);
          send(failure);
          return failure.code;
        }
      };
      if (traced === undefined) void respond();
      else traceCall(traced, call, respond);
    };

  const embed = async (call: UnaryCall): Promise<Answer> => {
    const open = callOf(call.metadata);
    open.holdMessage(call.request.length);
    const request = readEmbed(call.request);
    const { model, inputs, dimensions, truncate, prompt_name } = request;
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    if (call.cancelled) gone.abort();
    const result = await embedder.embed({
      // A field that is set to nothing counts as not set: many clients can't leave one out.
      model: model === "" ? undefined : model,
      inputs,
      inputsField: "inputs",
      dimensions,
      truncate,
      promptName: prompt_name === "" ? undefined : prompt_name,
      latencyBudgetMs: latencyBudgetMs(call),
      tenant: open.tenant,
      signal: gone.signal,
    });
    open.holdAnswer(answerBytes(result, request));
    return writeEmbed(result, request);
  };

  const listModels = async (): Promise<Answer> => ({ models: (await view.models()).map(withoutNulls) });

  return {
    Embed: answering(embed, parts.tracing),
    Health: answering(async (call) => view.health(callOf(call.metadata).trusted)),
    ListModels: answering(listModels),
  };
}
