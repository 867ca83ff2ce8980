import { computed, signal } from "@preact/signals";
import { getJson, noteLogin, sendJson } from "./api-client.ts";

/** User as the server knows them. */
export interface Session {
  /** False: everybody who can connect may do everything. */
  readonly keysRequired: boolean;
  /** Null: nobody is logged in. */
  readonly caller: { readonly name: string; readonly role: string } | null;
}

/** Path of the routes that log in and out. */
export const sessionPath = "/api/v1/session";

/** Session of this browser; null: not asked for yet. */
export const session = signal<Session | null>(null);

/** True while the user may change the fleet. */
export const canOperate = computed(() => ["operator", "admin"].includes(session.value?.caller?.role ?? ""));

/** True while nothing can be shown but the login. */
export const isLoggedOut = computed(() => session.value?.keysRequired === true && session.value.caller === null);

/** Asks the server who the user is. @throws ApiError */
export async function loadSession(): Promise<void> {
  session.value = await getJson<Session>(sessionPath);
}

/** Logs in. @throws ApiError with what is wrong with the key */
export async function logIn(key: string): Promise<void> {
  session.value = await sendJson<Session>("POST", sessionPath, { key });
  noteLogin();
}

/** Logs out, and loads the page anew: nothing of what was shown stays in it. @throws ApiError */
export async function logOut(): Promise<void> {
  await sendJson("DELETE", sessionPath);
  location.assign("/");
}
