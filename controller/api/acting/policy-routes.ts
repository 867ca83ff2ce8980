import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import {
  maxPolicyLength,
  readPolicyDocument,
  readPolicyInput,
  readPolicyText,
  replacePolicyFile,
} from "#controller/scaling/policy/file/policy-document.ts";
import type { LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { ServiceError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { about, ErrorBody } from "../schemas.ts";
import { differencesOf, outlookOf, type PolicyPreview, PolicyPreviewView, previewToText } from "./policy-views.ts";

const text = Type.String({ maxLength: maxPolicyLength, description: "the policy, as YAML or JSON" });
const PreviewBody = strictObject({ text });
const UploadBody = strictObject({
  text,
  ifVersion: Type.Optional(
    Type.String({
      pattern: "^[0-9a-f]{12}$",
      title: "a version from GET /api/v1/policy/file",
      description: "version of the file that the text is based on: refused if it has changed since",
    }),
  ),
});

const PolicyFileView = Type.Object({
  path: Type.String(),
  version: Type.String({ description: "changes with every byte of the file" }),
  text: Type.String({ description: "text of the file; empty if it can't be shown" }),
  isMasked: Type.Boolean({ description: "true: secrets are placeholders, and comments are left out" }),
  fault: orNull(Type.String(), "reason why the file can't be shown; null: it can"),
  name: Type.String({ description: "of the policy in force" }),
  mode: Type.String(),
  loadedAtMs: Type.Number(),
  problem: orNull(Type.String(), "reason why the present file is not in force; null: it is"),
});

const NoPolicyFile = Type.Object({
  missing: Type.String({ description: "reason why there is none: no scaling.policyFile is configured" }),
});

export interface PolicyRoutesParts extends Pick<ApiParts, "audit" | "loop" | "nowMs"> {
  /** The policy with its file; null: none is configured. */
  readonly livePolicy: LivePolicy | null;
  /** Decides what any policy would want now. */
  readonly previewer: Pick<LivePolicy, "preview">;
}

const noneConfigured = "no scaling.policyFile is configured: name one in the controller's configuration";

/** Routes by which a policy is read, tried, and replaced. */
export function policyRoutes({ livePolicy, previewer, audit, loop, nowMs }: PolicyRoutesParts) {
  const previewOf = (given: ScalingPolicy, before: ScalingPolicy | null): PolicyPreview => {
    const look = loop.lookForPolicy();
    const atMs = nowMs();
    const outlook = (policy: ScalingPolicy) => outlookOf(policy, previewer.preview(policy, look), atMs, look.liveQps);
    const { currentReplicas: serving, liveQps } = look;
    const found = { given: outlook(given), inForce: before === null ? null : outlook(before), serving };
    return { ...found, atMs, liveQps, text: previewToText(found), differences: differencesOf(before, given) };
  };
  const currentInput = async () => (livePolicy === null ? null : readPolicyInput(livePolicy.path));
  return new Elysia()
    .get(
      "/api/v1/policy/file",
      async () => {
        // A fleet without a policy is no error: the limits of the configuration are in force.
        if (livePolicy === null) return { missing: noneConfigured };
        const { name, mode, loadedAtMs, problem, path } = livePolicy.status();
        return { ...(await readPolicyDocument(path)), path, name, mode, loadedAtMs, problem };
      },
      {
        response: { 200: Type.Union([PolicyFileView, NoPolicyFile]) },
        detail: about(
          "decisions",
          "The scaling policy's file",
          "The file as written, with secrets masked, or why there is none.",
        ),
      },
    )
    .post(
      "/api/v1/policy/preview",
      async ({ body }) => {
        const { policy } = readPolicyText(body.text, await currentInput());
        return previewOf(policy, livePolicy?.inForce ?? null);
      },
      {
        ...jsonBody(PreviewBody),
        response: { 200: PolicyPreviewView, 400: ErrorBody },
        detail: {
          ...about(
            "decisions",
            "Try a scaling policy on the fleet as it is now",
            "What it would decide now, what it allows in the coming day, and how it differs from the policy in force. Changes nothing; sources of new triggers are not queried.",
          ),
          ...needsRole("operator"),
        },
      },
    )
    .post(
      "/api/v1/policy",
      async ({ body, request }) => {
        if (livePolicy === null) throw new ServiceError("NOT_FOUND", noneConfigured);
        const { inForce: before, path } = livePolicy;
        // Reports all mistakes before recording anything.
        const { policy } = readPolicyText(body.text, await currentInput());
        const preview = previewOf(policy, before);
        const change = { action: "policy.set", target: policy.name, before: maskSecrets(before) };
        await audit.change(
          auditSourceOf(request),
          change,
          async () => {
            const written = await replacePolicyFile(path, body.text, body.ifVersion ?? null);
            await livePolicy.reload();
            return written;
          },
          (written) => maskSecrets(written),
        );
        return preview;
      },
      {
        ...jsonBody(UploadBody),
        ...withReason,
        response: { 200: PolicyPreviewView, 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 503: ErrorBody },
        detail: {
          ...about(
            "decisions",
            "Replace the scaling policy",
            "Writes the file and applies it at once. Lists all mistakes by field. Needs the role admin, because a policy names addresses that the controller contacts.",
          ),
          ...needsRole("admin"),
        },
      },
    );
}
