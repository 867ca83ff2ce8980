import { type ServerUnaryCall, type sendUnaryData, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import type { Logger } from "#platform/log.ts";
import type { HealthReport, ModelEntry } from "../http/health-report.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { CallGate } from "./call-gate.ts";
import { answerBytes, createEmbedReader, createEmbedWriter } from "./embed-messages.ts";
import { toFailure } from "./grpc-error.ts";
import type { Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";
import { healthMessage, modelMessage } from "./status-messages.ts";
import { traceCall } from "./trace-call.ts";

type UnaryCall = ServerUnaryCall<Buffer, Answer>;

/** Health and models, in the shapes of the HTTP API. */
export interface ServingView {
  /**
   * Same as `GET /health`.
   * @param detailed false: without details, which name models, paths and addresses
   */
  health(detailed: boolean): HealthReport;
  models(): Promise<readonly ModelEntry[]>;
}

const embeddingPackage = "akidb.embedding.v1";
export const embeddingServiceName = `${embeddingPackage}.EmbeddingService`;

/** `Health` is for probes, which have no key. */
export const embeddingRules = (maxMessageBytes: number): ServiceRules => ({
  openMethods: ["Health"],
  maxMessageBytes: { Embed: maxMessageBytes },
  computingMethods: ["Embed"],
});

/** Time until the call's deadline; undefined where it has none. */
function latencyBudgetMs(call: UnaryCall): number | undefined {
  const deadline = call.getDeadline();
  const atMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(atMs) ? Math.max(1, Math.floor(atMs - Date.now())) : undefined;
}

/** `Embed`, `Health` and `ListModels`: the same as `/api/v1/embed`, `/health` and `/models`, with the same limits, keys and errors. */
export function embeddingService(parts: {
  readonly protos: Protos;
  readonly embedder: Embedder;
  readonly view: ServingView;
  readonly rules: InputRules;
  readonly callOf: CallGate["callOf"];
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
}): UntypedServiceImplementation {
  const { protos, embedder, view, callOf, log } = parts;
  const readEmbed = createEmbedReader(protos.type(`${embeddingPackage}.EmbedRequest`), parts.rules);
  const writeEmbed = createEmbedWriter(
    protos.type(`${embeddingPackage}.EmbedResponse`),
    protos.type(`${embeddingPackage}.Vector`),
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
          const failure = toFailure(error, logBug);
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
    const client = new AbortController();
    call.on("cancelled", () => client.abort());
    if (call.cancelled) client.abort();
    const result = await embedder.embed({
      model,
      inputs,
      inputsField: "inputs",
      dimensions,
      truncate,
      // An empty field counts as absent: many clients can't leave one out.
      promptName: prompt_name === "" ? undefined : prompt_name,
      latencyBudgetMs: latencyBudgetMs(call),
      tenant: open.tenant,
      scope: open.scope,
      signal: client.signal,
    });
    open.holdAnswer(answerBytes(result, request));
    return writeEmbed(result, request);
  };

  const listModels = async (): Promise<Answer> => ({ models: (await view.models()).map(modelMessage) });

  return {
    Embed: answering(embed, parts.tracing),
    Health: answering(async (call) => healthMessage(view.health(callOf(call.metadata).trusted))),
    ListModels: answering(listModels),
  };
}
