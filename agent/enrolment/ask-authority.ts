import type { KeyObject } from "node:crypto";
import { keyHash } from "#platform/certificates/device-key.ts";
import { cleanText } from "#platform/clean-text.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { decodeValue } from "#protocol/codec.ts";
import { isIssuedBy, parseCertificate, readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import { AnswerBody, JoinAnswer } from "#protocol/identity/join-messages.ts";
import { isSignedBy, readStatement, type SignedStatement } from "#protocol/identity/signed-statement.ts";

const timeoutMs = 15_000;
const maxAnswerBytes = 65_536;

/** Refusal by the fleet's controller, in its words. */
class AuthorityRefusal extends Error {}

/** Request that the controller does not understand, as one of an earlier version may not. */
export class MisunderstoodRequest extends Error {}

/** Answer of the authority, proven to come from it. */
export interface ProvenAnswer {
  readonly answer: JoinAnswer;
  /** The authority's certificate. */
  readonly authority: string;
}

/**
 * Sends a signed request to a controller and returns its answer, which only the authority of `pin` can have given.
 * @throws AuthorityRefusal when the controller refuses; Error when none answers, or another authority does.
 */
export async function askAuthority(
  controllerUrl: string,
  path: "/api/v1/identity/join" | "/api/v1/identity/renew",
  request: { readonly signed: SignedStatement; readonly pin: string; readonly key: KeyObject },
): Promise<ProvenAnswer> {
  const shown = redactUrl(controllerUrl);
  let response: Response;
  try {
    response = await post(new URL(path, controllerUrl), JSON.stringify(request.signed));
  } catch (cause) {
    throw new Error(`no controller answers at ${shown}`, { cause });
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const said = cleanText(String((body as { error?: unknown } | null)?.error ?? response.statusText)).slice(0, 512);
    const message = `the controller at ${shown} answers ${response.status}: ${said}`;
    if (response.status === 403) throw new AuthorityRefusal(message);
    throw response.status === 400 ? new MisunderstoodRequest(message) : new Error(message);
  }
  return proven(body, shown, request.pin, keyHash(request.key));
}

/** Sends a request by the address's scheme or, where that is not spoken there, by the other one: a controller may have begun to encrypt. */
async function post(url: URL, body: string): Promise<Response> {
  const send = (to: URL) =>
    fetchBounded(to, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body },
      ...{ timeoutMs, maxBytes: maxAnswerBytes },
      // The answer is signed by the authority that the token pins, and nothing secret is sent: an intermediary can only drop it.
      tls: { rejectUnauthorized: false },
    });
  try {
    return await send(url);
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (code === "ECONNREFUSED" || name === "TimeoutError") throw error;
    const other = new URL(url);
    other.protocol = url.protocol === "https:" ? "http:" : "https:";
    return send(other).catch(() => {
      throw error;
    });
  }
}

function proven(body: unknown, shown: string, pin: string, ownKey: string): ProvenAnswer {
  const impostor = `the server at ${shown} is not the controller that created the token`;
  const decoded = decodeValue(AnswerBody, body);
  if (!decoded.ok) throw new Error(`${impostor}: ${decoded.reason}`);
  const { authority, answer: signed } = decoded.message;
  const authorityKey = publicKeyOf(authority);
  if (authorityKey === null || keyHash(authorityKey) !== pin) throw new Error(`${impostor}: it has another authority`);
  if (!isSignedBy(authorityKey, "answer", signed.statement, signed.signature))
    throw new Error(`${impostor}: its answer is not signed by its authority`);
  const answer = readStatement(JoinAnswer, signed);
  if (!answer.ok) throw new Error(`the controller's answer can't be read: ${answer.reason}`);
  const { forKey, certificate, agentId, fleet } = answer.message;
  if (forKey !== ownKey) throw new Error(`${impostor}: its answer is for another device`);
  if (certificate !== null) {
    const named = readDeviceCertificate(certificate);
    const isOwn = named?.keyHash === ownKey && named.agentId === agentId && named.fleet === fleet;
    if (!isOwn || !isIssuedBy(certificate, authority))
      throw new Error(`the certificate from ${shown} is not for this device`);
  }
  return { answer: answer.message, authority };
}

function publicKeyOf(certificate: string): KeyObject | null {
  try {
    return parseCertificate(certificate).publicKey;
  } catch {
    return null;
  }
}
