import { useEffect } from "preact/hooks";
import { goTo } from "#platform/page/url-state.ts";

/** Page `/login`: who is logged out sees the login at every address, and who is not has nothing to do here. */
export function LoginView() {
  useEffect(() => goTo("/"), []);
  return <p class="empty">You are logged in.</p>;
}
