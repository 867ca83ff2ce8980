import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Home } from "#agent/serving/admission/home.ts";
import { millisecondsPattern, readMilliseconds, writeMilliseconds } from "#agent/serving/http/read-milliseconds.ts";
import { writeAnswer } from "#agent/serving/http/write-answer.ts";
import { type ErrorCode, ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { errorResponse } from "#platform/http/error-response.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import { defaultTenant } from "#protocol/messages.ts";
import {
  isQueueTooLong,
  type LoadReport,
  loadHeader,
  maxWaitHeader,
  tookHeader,
  writeLoadReport,
} from "./routing/load-report.ts";
import { encodeVector, PeerAnswer, PeerRequest, peerPath } from "./routing/peer-message.ts";

/** Says why a request for other vectors than this agent's is refused: mixed vectors would be silently wrong. */
function refuseOtherSpace(
  home: Home,
  { model: name, space, tokenIds }: Pick<PeerRequest, "model" | "space" | "tokenIds">,
): void {
  const model = home.model(name);
  if (model === null)
    throw new ServiceError("CONFLICT", `model: expected one of this agent's, got ${JSON.stringify(name)}`, {
      details: { param: "model" },
    });
  if (typeof tokenIds === "string" && tokenIds !== model.tokenIds)
    throw new ServiceError(
      "CONFLICT",
      `tokenIds: expected ${model.tokenIds}, the way this agent reads token ids, got ${tokenIds}: the same ids mean different text`,
      { details: { param: "tokenIds" } },
    );
  if (model.space === space) return;
  throw new ServiceError(
    "CONFLICT",
    `space: expected ${model.space}, the vectors that this agent makes with ${model.id}, got ${JSON.stringify(space)}`,
    { details: { param: "space" } },
  );
}

/** Errors with which this agent's load goes: the router should not come back before that is less. */
const loadTelling: ReadonlySet<ErrorCode> = new Set(["TOO_MANY_REQUESTS", "DEADLINE_EXCEEDED"]);

/** `POST /api/v1/mesh/embed`: one agent answers for another. It never passes a request on, so that nothing circles. */
export function peerRoutes(parts: {
  readonly home: Home;
  readonly maxInputs: number;
  /** Returns true where only the fleet's agents may ask. */
  readonly mustBePeer: () => boolean;
  readonly load: (model: string) => LoadReport;
}) {
  const { home, maxInputs, mustBePeer, load } = parts;
  return new Elysia().post(
    peerPath,
    async ({ body, request }) => {
      const startedMs = performance.now();
      const caller = callerOf(request);
      const isPeer = caller?.peer !== undefined;
      if (!isPeer && mustBePeer())
        throw new ServiceError("FORBIDDEN", "this path is for the fleet's agents; clients use /v1/embeddings");
      const maxWaitMs = readMilliseconds(request.headers, maxWaitHeader);
      const id = home.model(body.model)?.id ?? body.model;
      refuseOtherSpace(home, body);
      const told = (response: Response) => {
        response.headers.set(loadHeader, writeLoadReport(load(id)));
        response.headers.set(tookHeader, writeMilliseconds(performance.now() - startedMs));
        return response;
      };
      const refuse = (error: ServiceError) => told(errorResponse(error, "plain"));
      if (isQueueTooLong(maxWaitMs, load(id)))
        return refuse(new ServiceError("TOO_MANY_REQUESTS", "another peer may have a shorter queue"));
      const {
        space,
        promptName,
        textKinds,
        tokenLimits,
        tokenIds: _checked,
        dimensions,
        truncate,
        truncationSide,
        sparse,
        budgetMs,
        tenant,
        ...rest
      } = body;
      const embed = {
        ...rest,
        ...{ latencyBudgetMs: budgetMs, tenant: isPeer ? tenant : defaultTenant },
        ...{
          dimensions: dimensions ?? undefined,
          truncate: truncate ?? undefined,
          promptName: promptName ?? undefined,
          textKinds: textKinds ?? undefined,
          tokenLimits: tokenLimits ?? undefined,
          truncationSide: truncationSide ?? undefined,
          sparse: sparse ?? undefined,
        },
        ...{ forPeer: true, signal: request.signal },
      };
      const result = await home.embed(embed).catch((error: unknown) => {
        if (error instanceof ServiceError && loadTelling.has(error.code)) return refuse(error);
        throw error;
      });
      if (result instanceof Response) return result;
      const { model, dimension, relevantLabel, vectors, tokens, truncatedInputs, prompt } = result;
      const facts = JSON.stringify({ model, space, dimension, relevantLabel, tokens, truncatedInputs, prompt });
      const write = (vector: Float32Array) => `"${encodeVector(vector)}"`;
      return told(writeAnswer('{"vectors":[', vectors, write, `],${facts.slice(1)}`, { truncatedInputs: 0 }));
    },
    {
      ...jsonBody(PeerRequest(maxInputs)),
      detail: describeRoute({
        summary: "Vectors for another agent of the fleet",
        description: `Agents answer each other's requests here. They prove themselves by certificates once they have joined the fleet, otherwise by its secret if keys are configured; the header ${loadHeader} reports their load. A request received here is never passed on. Not for clients.`,
        tag: "mesh",
        answer: {
          description: "One vector per input, in order, not scaled.",
          schema: PeerAnswer,
          example: {
            model: "all-MiniLM-L6-v2",
            space: "0f3a5c7e9b1d2f40",
            dimension: 2,
            relevantLabel: 0,
            vectors: ["AACAPwAAAEA="],
            tokens: 4,
            truncatedInputs: 0,
          } satisfies Static<typeof PeerAnswer>,
        },
        errors: {
          INVALID_REQUEST: "budgetMs: expected number from 0.001 to 86400000, got 0",
          FORBIDDEN: "this path is for the fleet's agents; clients use /v1/embeddings",
          CONFLICT: "space: expected 0f3a5c7e9b1d2f40, the vectors that this agent makes, got another",
          PAYLOAD_TOO_LARGE: "inputs: expected array of 1 to 2048 items, got an array of 2049",
          UNSUPPORTED_MEDIA_TYPE: 'content-type: expected application/json, got "text/plain"',
          MODEL_UNAVAILABLE: "model bge-small can't be loaded: it needs more memory than models may have",
          TOO_MANY_REQUESTS: "the queue is full: 4096 of 4096 texts",
          AGENT_STANDBY: "this agent is standby: ask one of the peers",
          SHUTTING_DOWN: "this agent is stopping",
          DEADLINE_EXCEEDED: "no answer within 50 ms",
        },
        headers: {
          [maxWaitHeader]: {
            description:
              "Milliseconds that the request may wait here; with a longer queue it is refused at once (429).",
            example: "2.5",
            pattern: millisecondsPattern,
          },
        },
      }),
    },
  );
}

const RouteTold = Type.Object({
  atMs: Type.Number(),
  model: Type.String(),
  backend: Type.String({ description: "home, an agent's id, offer:NAME, or none" }),
  kind: Type.String(),
  rule: Type.String(),
  usd: Type.Number({ description: "price of the request" }),
  evenUsd: Type.Number({ description: "its price for an even mix of the available backends" }),
  attempts: Type.Integer(),
  outcome: Type.String(),
  reason: Type.String({ description: "reason, for people to read" }),
});

const MeshStatus = Type.Object({
  forward: Type.String(),
  backends: Type.Array(
    Type.Object({
      id: Type.String(),
      kind: Type.String(),
      model: Type.String(),
      circuit: Type.String(),
      inFlight: Type.Integer(),
      expectedMs: Type.Union([Type.Number(), Type.Null()]),
      hopMs: Type.Union([Type.Number(), Type.Null()], {
        description: "round-trip time without the work; null: not measured",
      }),
    }),
  ),
  routes: Type.Array(RouteTold, { description: "latest requests that had a choice, newest first" }),
});
export type MeshStatus = Static<typeof MeshStatus>;

/** `GET /api/v1/mesh`: the backends that this agent knows, and why its newest requests went where they did. */
export function meshStatusRoutes(status: () => MeshStatus) {
  return new Elysia().get("/api/v1/mesh", () => status(), {
    detail: describeRoute({
      summary: "Backends, and the newest routes",
      tag: "mesh",
      answer: {
        description: "Backends by model with their circuits, and why the latest requests went where they did.",
        schema: MeshStatus,
        example: {
          forward: "when-needed",
          backends: [
            {
              ...{ id: "thor-2", kind: "peer", model: "all-MiniLM-L6-v2", circuit: "closed", inFlight: 1 },
              ...{ expectedMs: 9.4, hopMs: 1.2 },
            },
          ],
          routes: [
            {
              ...{ atMs: 1_795_000_000_000, model: "all-MiniLM-L6-v2", backend: "thor-2", kind: "peer", rule: "only" },
              ...{ usd: 0.000_000_8, evenUsd: 0.000_002_9, attempts: 1, outcome: "answered" },
              reason: "thor-2: the only one available (8.0e-7 $, 9.4 ms expected; others: 1 busy)",
            },
          ],
        },
      },
    }),
  });
}
