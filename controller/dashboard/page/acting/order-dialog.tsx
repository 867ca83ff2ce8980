import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ApiError } from "#platform/page/api-client.ts";
import { Dialog } from "#platform/page/dialog.tsx";
import { Mistake, ReasonField } from "#platform/page/fields.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { EffectText } from "./effect-text.tsx";
import { OrderProgress } from "./order-progress.tsx";
import { type Order, type OrderAnswer, sendOrder } from "./send-order.ts";

interface OrderDialogProps {
  readonly title: string;
  /** Word on the button that does it, e.g. "Drain". */
  readonly verb: string;
  /** Fields of the order; none where there is nothing to choose. */
  readonly children?: ComponentChildren;
  /** Order as it is filled in. @throws Error with what is missing */
  readonly order: () => Order;
  readonly onClose: () => void;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A change in three steps: what is to be done, what that does as the server foretells it, and what came of it. */
export function OrderDialog({ title, verb, children, order, onClose }: OrderDialogProps) {
  const reason = useSignal("");
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const shown = useSignal<{ readonly order: Order; readonly answer: OrderAnswer } | null>(null);
  const done = useSignal<OrderAnswer | null>(null);
  const effect = useRef<HTMLDivElement>(null);
  const closing = useRef<HTMLButtonElement>(null);
  const state = done.value === null ? (shown.value === null ? "fill" : "confirm") : "done";
  useEffect(() => {
    // Not the button: a key that is held down must not confirm what nobody has read.
    if (state === "confirm") effect.current?.focus();
    if (state === "done") closing.current?.focus();
  }, [state]);
  const attempt = async (what: () => Promise<void>) => {
    isBusy.value = true;
    problem.value = "";
    try {
      await what();
    } catch (error) {
      // The login comes by itself; what was filled in stays.
      const isLogin = error instanceof ApiError && error.status === 401;
      problem.value = isLogin ? "Your session has ended: log in, then go on here." : messageOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  const preview = () =>
    attempt(async () => {
      const made = order();
      shown.value = { order: made, answer: await sendOrder(made, true, "") };
    });
  const confirm = () =>
    attempt(async () => {
      if (shown.value !== null) done.value = await sendOrder(shown.value.order, false, reason.value);
    });
  useEffect(() => {
    // Nothing is to be filled in: the effect is shown at once.
    if (children === undefined) void preview();
  }, []);
  const agents = done.value?.agents ?? [];
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void (state === "fill" ? preview() : confirm());
        }}
      >
        {state === "fill" ? children : null}
        <div ref={effect} tabIndex={-1}>
          {shown.value?.answer.effect === undefined ? null : <EffectText effect={shown.value.answer.effect} />}
        </div>
        {state === "confirm" ? <ReasonField reason={reason} /> : null}
        {state === "done" ? <p class="note">● Done, and recorded in the audit log under your name.</p> : null}
        {agents.length > 0 ? (
          <OrderProgress agents={agents} isEnd={shown.value?.order.path === "/api/v1/overrides/end"} />
        ) : null}
        <Mistake text={safeText(problem.value, 1_000)} />
        <p class="buttons">
          {state === "fill" ? (
            <button type="submit" class="primary" disabled={isBusy.value}>
              Show the effect
            </button>
          ) : null}
          {state === "confirm" ? (
            <button type="submit" class="primary" disabled={isBusy.value}>
              {verb}
            </button>
          ) : null}
          {state === "confirm" && children !== undefined ? (
            <button
              type="button"
              onClick={() => {
                shown.value = null;
              }}
            >
              Back
            </button>
          ) : null}
          <button ref={closing} type="button" onClick={onClose}>
            {state === "done" ? "Close" : "Cancel"}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
