import { useSignal } from "@preact/signals";
import { request } from "#platform/page/api-client.ts";
import { Dialog } from "#platform/page/dialog.tsx";
import { Mistake, ReasonField } from "#platform/page/fields.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { reasonHeader } from "../acting/send-order.ts";
import { attempt, currentText, draft, loadPolicyFile, mistakes, preview } from "./policy-data.ts";

/** Asks before the policy is replaced, with what it would decide now. */
export function UploadDialog({ onClose }: { readonly onClose: () => void }) {
  const reason = useSignal("");
  const isBusy = useSignal(false);
  const shown = preview.value;
  const upload = async (event: Event) => {
    event.preventDefault();
    isBusy.value = true;
    const isDone = await attempt(async () => {
      const from = draft.value?.from ?? null;
      await request("/api/v1/policy", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...reasonHeader(reason.value),
        },
        body: JSON.stringify({ text: currentText(), ...(from === null ? {} : { ifVersion: from }) }),
      });
      await loadPolicyFile();
      draft.value = null;
    });
    isBusy.value = false;
    if (isDone) onClose();
  };
  return (
    <Dialog title="Put this policy in force" onClose={onClose}>
      <form class="form" onSubmit={(event) => void upload(event)}>
        {shown === null ? null : <p class="note">{safeText(shown.text, 1_000)}</p>}
        <p>
          {shown?.differences.length ?? 0} {shown?.differences.length === 1 ? "field differs" : "fields differ"} from
          the policy in force. It is in force at once, and recorded under your name.
        </p>
        <ReasonField reason={reason} />
        <Mistake text={safeText(mistakes.value.join("; "), 1_000)} />
        <p class="buttons">
          <button type="submit" class="primary" disabled={isBusy.value}>
            Put it in force
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}
