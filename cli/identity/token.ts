import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";

interface TokenView {
  readonly id: string;
  readonly region: string;
  readonly approved: boolean;
  readonly usesLeft: number;
  readonly expiresMs: number;
  readonly revokedMs: number | null;
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function ttlOf(values: OptionValues): number | undefined {
  const text = optionalString(values, "ttl");
  if (text === undefined) return undefined;
  const [, amount, unit] = /^([0-9]{1,6})([smhd])$/.exec(text) ?? [];
  const ttlS = Number(amount) * (seconds[unit ?? ""] ?? 0);
  if (ttlS >= 1 && ttlS <= 365 * 86_400) return ttlS;
  throw new UsageError(`--ttl: expected a time from 1s to 365d, like 30m, 12h or 7d, got "${text}"`);
}

function tokenToText({ id, region, approved, usesLeft, expiresMs, revokedMs }: TokenView): string {
  const state =
    revokedMs !== null ? "revoked" : expiresMs <= Date.now() ? "expired" : usesLeft === 0 ? "used up" : "valid";
  const until = new Date(expiresMs).toISOString();
  const parts = [id, state, `${usesLeft} use(s) left`, `until ${until}`, region && `region ${region}`];
  return [...parts, approved ? "approved" : ""].filter((part) => part !== "").join("  ");
}

async function create(values: OptionValues): Promise<number> {
  const ttlS = ttlOf(values);
  const uses = optionalNumber(values, "uses", { min: 1, max: 100_000, integer: true });
  const region = optionalString(values, "region");
  const made = (await askController(values, "/api/v1/join-tokens", {
    method: "POST",
    body: {
      ...(ttlS === undefined ? {} : { ttlS }),
      ...(uses === undefined ? {} : { uses }),
      ...(region === undefined ? {} : { region }),
      ...(values["approve"] === true ? { approved: true } : {}),
    },
  })) as TokenView & { readonly token: string };
  printLine(values["json"] === true ? JSON.stringify(made, null, 2) : made.token);
  return 0;
}

export const tokenCommand: Command = {
  summary: "create, list or revoke the tokens with which devices join the fleet",
  usage:
    "create [--ttl 1h] [--uses N] [--region NAME] [--approve]\n       thormesh token list\n       thormesh token revoke ID",
  examples: ["thormesh token create --uses 20 --ttl 8h --region hall-1 --approve"],
  options: {
    ttl: { value: "TIME", help: "how long it is valid, like 30m, 12h or 7d (default: 1h)", only: "create" },
    uses: { value: "N", help: "number of devices that may join with it (default: 1)", only: "create" },
    region: { value: "NAME", help: "region named in their certificates", only: "create" },
    approve: { help: "approve them at once; otherwise each waits for: thormesh agents approve ID", only: "create" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, id, ...more]) {
    if (action === "create" && id === undefined) return create(values);
    if (action === "list" && id === undefined) {
      const answer = (await askController(values, "/api/v1/join-tokens")) as { readonly tokens: readonly TokenView[] };
      if (values["json"] === true) printLine(JSON.stringify(answer, null, 2));
      else printLine(answer.tokens.map(tokenToText).join("\n") || "there are no tokens");
      return 0;
    }
    if (action === "revoke" && id !== undefined && more.length === 0) {
      const path = `/api/v1/join-tokens/${encodeURIComponent(id)}`;
      const revoked = (await askController(values, path, { method: "DELETE" })) as TokenView;
      printLine(values["json"] === true ? JSON.stringify(revoked, null, 2) : tokenToText(revoked));
      return 0;
    }
    if (action === "revoke") throw new UsageError("expected the id of one token, as thormesh token list shows it");
    throw unexpectedWord("create, list or revoke", action === "create" || action === "list" ? id : action, [
      "create",
      "list",
      "revoke",
    ]);
  },
};
