import { type Static, Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { makeSessionToken, openSealedText, sealText, sessionIdOf } from "./sealed-text.ts";
import { maxSessionMs } from "./session-cookie.ts";
import type { Session, SessionFinder } from "./session-finder.ts";

/** Time without a request after which a session ends. */
export const idleSessionMs = 12 * hourMs;
/** Maximum sessions; the one that was used longest ago gives way. */
const maxSessions = 1000;
/** Maximum sessions of one key, so that nobody pushes out all others. */
const maxPerHolder = 50;
/** Time between two records of when sessions were used. */
const saveUsesEachMs = 10 * minuteMs;
/** Longest encrypted credential that is kept across a restart: keys are shorter, tokens of identity providers are not. */
const maxKeptLength = 1024;

const KeptSession = strictObject({
  id: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  sealed: Type.String({ maxLength: maxKeptLength }),
  holder: Type.String({ maxLength: 200 }),
  beganAtMs: Type.Number(),
  usedAtMs: Type.Number(),
});
type KeptSession = Static<typeof KeptSession>;

/** Sessions as they are kept across a restart: hashes of tokens, and credentials that only these tokens open. */
export const KeptSessions = strictObject({ sessions: Type.Array(KeptSession, { maxItems: maxSessions }) });
export type KeptSessions = Static<typeof KeptSessions>;

export interface SessionsParts {
  /** Memory across a restart; null: there is none. */
  readonly memory: {
    load(): Promise<KeptSessions | null>;
    save(kept: KeptSessions): Promise<void>;
  } | null;
  /** The machine's clock: it is people who are idle. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/**
 * Sessions of browsers, begun with a key. The key is checked with each request, so that what ends it ends its sessions. It is held encrypted by the
 * session's token, which only the browser has.
 */
export class Sessions implements SessionFinder {
  readonly #parts: SessionsParts;
  /** By id, the longest unused first. */
  #sessions = new Map<string, KeptSession>();
  #savedAtMs: number;
  #areUsesNew = false;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#savedAtMs = parts.nowMs();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Loads what was kept before a restart. */
  async load(): Promise<void> {
    const kept = (await this.#parts.memory?.load()) ?? { sessions: [] };
    this.#sessions = new Map(kept.sessions.map((session) => [session.id, session]));
    this.#drop();
  }

  /**
   * Begins a session with a valid credential.
   * @param holder name of its caller
   * @returns the token for the cookie
   */
  async begin(authorization: string, holder: string): Promise<string> {
    const token = makeSessionToken();
    const nowMs = this.#parts.nowMs();
    const id = sessionIdOf(token);
    const sealed = sealText(authorization, token);
    this.#sessions.set(id, { id, sealed, holder: holder.slice(0, 200), beganAtMs: nowMs, usedAtMs: nowMs });
    this.#drop();
    const own = [...this.#sessions.values()].filter((session) => session.holder === holder.slice(0, 200));
    for (const { id } of own.slice(0, Math.max(0, own.length - maxPerHolder))) this.#sessions.delete(id);
    await this.#save();
    return token;
  }

  find(token: string): Session {
    const id = sessionIdOf(token);
    const session = this.#sessions.get(id);
    const end = () => {
      if (this.#sessions.delete(id)) void this.#save();
    };
    if (session === undefined || !this.#isValid(session)) return { authorization: null, end };
    const authorization = openSealedText(session.sealed, token);
    this.#sessions.delete(id);
    this.#sessions.set(id, { ...session, usedAtMs: this.#parts.nowMs() });
    this.#areUsesNew = true;
    return { authorization, end };
  }

  /** Ends a session; it stays ended after a restart. */
  async end(token: string): Promise<void> {
    if (this.#sessions.delete(sessionIdOf(token))) await this.#save();
  }

  /** Drops sessions that have ended, and stores when the others were used, now and then. @param isLast true: the server stops */
  async refresh(isLast = false): Promise<void> {
    const before = this.#sessions.size;
    this.#drop();
    const isDue = isLast || Math.abs(this.#parts.nowMs() - this.#savedAtMs) >= saveUsesEachMs;
    if (this.#sessions.size < before || (this.#areUsesNew && isDue)) await this.#save();
  }

  /** True while it may be used. A clock that was set back must not make it longer. */
  #isValid({ beganAtMs, usedAtMs }: KeptSession): boolean {
    const nowMs = this.#parts.nowMs();
    return Math.abs(nowMs - usedAtMs) < idleSessionMs && Math.abs(nowMs - beganAtMs) < maxSessionMs;
  }

  #drop(): void {
    for (const session of this.#sessions.values()) if (!this.#isValid(session)) this.#sessions.delete(session.id);
    while (this.#sessions.size > maxSessions) this.#sessions.delete(this.#sessions.keys().next().value as string);
  }

  async #save(): Promise<void> {
    const { memory, nowMs, log } = this.#parts;
    this.#savedAtMs = nowMs();
    this.#areUsesNew = false;
    const sessions = [...this.#sessions.values()].filter(({ sealed }) => sealed.length <= maxKeptLength);
    try {
      await memory?.save({ sessions });
    } catch (error) {
      log.warn({ err: describeError(error) }, "sessions can't be kept: people log in again after a restart");
    }
  }
}
