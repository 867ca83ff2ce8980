import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { type Command, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { createServerClient } from "#tools/verify/server-client.ts";
import { verificationToText } from "#tools/verify/verification-to-text.ts";
import { verifyServer } from "#tools/verify/verify-server.ts";
import { apiKeysFromEnvironment } from "../run/api-keys-from-environment.ts";
import { authorityOption, trustedAuthorities } from "../run/trusted-authority.ts";

export const verifyCommand: Command = {
  summary: "verify a running agent or controller: health, vectors, latency, metrics",
  usage: "URL [--model ID] [--wait S] [--ca FILE] [--json]",
  examples: ["thormesh verify http://127.0.0.1:8080"],
  options: {
    model: { value: "ID", help: "model to verify (default: the server's own)" },
    timeout: { value: "S", help: "seconds until a request counts as failed (default: 30)" },
    wait: { value: "S", help: "seconds to wait for a model that is being loaded (default: 60)" },
    ...authorityOption,
    json: { help: "print JSON" },
  },
  async run(values, positionals) {
    const [url, ...more] = positionals;
    if (url === undefined || more.length > 0)
      throw new UsageError(`expected one address like http://127.0.0.1:8080, got ${positionals.length}`);
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
      throw new UsageError(`expected an address like http://127.0.0.1:8080, got "${redactUrl(url)}"`);
    const timeoutMs = 1_000 * (optionalNumber(values, "timeout", { min: 0.1, max: 3_600 }) ?? 30);
    const waitMs = 1_000 * (optionalNumber(values, "wait", { min: 0, max: 3_600 }) ?? 60);
    const apiKey = apiKeysFromEnvironment(process.env)?.[0];
    const server = createServerClient(url.replace(/\/+$/, ""), apiKey, timeoutMs, trustedAuthorities(values));
    const verification = await verifyServer(server, optionalString(values, "model"), waitMs);
    const ok = verification.checks.every(({ status }) => status !== "fail");
    const shown = redactUrl(server.url);
    console.log(
      values["json"] === true
        ? JSON.stringify({ ok, url: shown, ...verification }, null, 2)
        : verificationToText(verification, shown),
    );
    return ok ? 0 : 1;
  },
};
