import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { loginNeeded, setKey } from "#platform/page/api-client.ts";
import { askAgain } from "./agent-state.ts";

/** True after a key that was typed was refused. */
const isRefused = signal(false);

/** Asks for an API key, which is kept by this page alone, and only until it is closed or loaded again. */
export function KeyForm() {
  const [text, setText] = useState("");
  return (
    <section class="card" aria-label="API key">
      <h1>This agent answers only with an API key</h1>
      <form
        class="try"
        onSubmit={(event) => {
          event.preventDefault();
          setKey(text.trim());
          void askAgain().then(() => {
            isRefused.value = loginNeeded.value;
          });
        }}
      >
        <label for="key">key</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={text.trim() === ""}>
          use it
        </button>
      </form>
      <p class="muted">The key stays in this page until it is reloaded or closed.</p>
      <div role="status">{isRefused.value ? <p class="note bad">■ The agent does not know this key.</p> : null}</div>
    </section>
  );
}
