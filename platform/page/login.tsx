import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { loginNeeded } from "./api-client.ts";
import { Dialog } from "./dialog.tsx";
import { Mistake } from "./fields.tsx";
import { showError } from "./page-errors.ts";
import { safeText } from "./safe-text.ts";
import { logIn, logOut, session } from "./session.ts";

/** Field for a key, with what was wrong with it. */
function LoginForm({ onDone }: { readonly onDone?: () => void }) {
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const input = field.current as HTMLInputElement;
    isBusy.value = true;
    problem.value = "";
    try {
      await logIn(input.value.trim());
      input.value = "";
      onDone?.();
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
      input.select();
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      <label>
        API key, or token of your identity provider
        <input
          ref={field}
          type="password"
          name="key"
          autocomplete="current-password"
          required
          spellcheck={false}
          aria-describedby="login-help"
        />
      </label>
      <p id="login-help" class="muted">
        It is sent once, and kept by this browser as a cookie that no script can read. Make one:{" "}
        <code>thormesh keys create --name YOU --role viewer</code>
      </p>
      <Mistake text={safeText(problem.value)} />
      <p class="buttons">
        <button type="submit" class="primary" disabled={isBusy.value}>
          Log in
        </button>
      </p>
    </form>
  );
}

/** Login in place of a page. */
export function LoginPage({ onDone }: { readonly onDone?: () => void }) {
  return (
    <section class="card login" aria-labelledby="login-title">
      <h1 id="login-title">Log in</h1>
      <LoginForm {...(onDone === undefined ? {} : { onDone })} />
    </section>
  );
}

/** Login over the page, once a session has ended: what is open or typed below it stays. */
export function LoginDialog() {
  const isPutOff = useSignal(false);
  const isNeeded = loginNeeded.value;
  useEffect(() => {
    if (!isNeeded) isPutOff.value = false;
  }, [isNeeded]);
  if (!isNeeded) return null;
  if (isPutOff.value)
    return (
      <p class="banner warn ended" role="status">
        ▲ Your session has ended: what is shown is no longer refreshed.{" "}
        <button type="button" onClick={() => (isPutOff.value = false)}>
          Log in
        </button>
      </p>
    );
  const putOff = () => {
    isPutOff.value = true;
  };
  return (
    <Dialog title="Your session has ended" onClose={putOff}>
      <p>Log in again and go on where you were: nothing that you typed is lost.</p>
      <LoginForm />
      <p>
        <button type="button" class="quiet" onClick={putOff}>
          Not now
        </button>
      </p>
    </Dialog>
  );
}

/** Name and role of the user, and the way out. Nothing where no key is needed. */
export function SessionTools() {
  const caller = session.value?.keysRequired === true ? session.value.caller : null;
  if (caller === null) return null;
  return (
    <span class="user">
      <span class="muted" title={safeText(caller.name)}>
        {caller.role}
      </span>
      <button type="button" class="quiet" onClick={() => logOut().catch(showError)}>
        log out
      </button>
    </span>
  );
}
