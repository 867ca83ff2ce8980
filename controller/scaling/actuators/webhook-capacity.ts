import { systemClock } from "#platform/clock.ts";
import { doublingDelayMs } from "#platform/doubling-delay.ts";
import { describeError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { secondMs } from "#platform/time.ts";
import type { WebhookConfig } from "./capacity-config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";

export interface WebhookCapacityParts {
  readonly config: WebhookConfig;
  readonly fleetName: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Pause before the second attempt; doubles each time. */
  readonly firstPauseMs?: number;
}

/**
 * Signs a webhook's body: `t=<seconds>,v1=<HMAC-SHA256 of "t.body" in hex>`. The time is signed too, so that the receiver can refuse old
 * requests.
 */
export function signWebhook(body: string, secret: string, atMs: number): string {
  const seconds = Math.floor(atMs / 1000);
  const digest = new Bun.CryptoHasher("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digest}`;
}

const maxPauseMs = 30_000;
/** Most bytes of an answer: only its status counts. */
const maxAnswerBytes = 64 * 1024;

/** True when the same request may succeed later: the other side is busy or broken, it has not refused. */
const isWorthRepeating = (status: number) => status >= 500 || status === 429 || status === 408;

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * secondMs : 0;
}

/**
 * Asks another program to switch machines: POSTs the act as JSON, signed, with its id as `Idempotency-Key`. Repeats are the same request;
 * any 2xx means that it was accepted.
 */
export function createWebhookCapacity(parts: WebhookCapacityParts): CapacityProvider {
  const { config, fleetName, environment, firstPauseMs = 500 } = parts;
  const { url, secretEnv, timeoutMs, attempts } = config;
  const abort = new AbortController();

  return {
    kind: "webhook",
    agentIds: config.agents,
    async request({ id, agentId, want, reason }) {
      const secret = secretFromEnvironment(environment, secretEnv);
      if (secret === undefined) throw new Error(`the environment has no ${secretEnv} to sign with`);
      const body = JSON.stringify({ id, fleet: fleetName, agentId, want, reason });
      let fault = "";
      for (let attempt = 1; attempt <= attempts && !abort.signal.aborted; attempt += 1) {
        let waitMs = doublingDelayMs(attempt, firstPauseMs, maxPauseMs);
        try {
          const response = await fetchBounded(url, {
            method: "POST",
            headers: {
              ...config.headers,
              "content-type": "application/json",
              "idempotency-key": id,
              "x-thormesh-signature": signWebhook(body, secret, Date.now()),
            },
            body,
            timeoutMs,
            maxBytes: maxAnswerBytes,
            signal: abort.signal,
          });
          if (response.ok) return;
          fault = `it answered ${response.status}`;
          if (!isWorthRepeating(response.status)) break;
          waitMs = Math.min(Math.max(waitMs, retryAfterMs(response)), maxPauseMs);
        } catch (error) {
          fault = describeError(error);
        }
        if (attempt < attempts) await systemClock.sleep(waitMs, abort.signal);
      }
      throw new Error(`${new URL(url).host} did not accept it: ${fault}`);
    },
    async stop() {
      abort.abort();
    },
  };
}
