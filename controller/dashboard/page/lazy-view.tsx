import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { showError } from "#platform/page/page-errors.ts";

type View = ComponentType<{ readonly params: Readonly<Record<string, string>> }>;

/** A view whose code is loaded when it is first shown: the first page does not wait for all the others. */
export function lazyView(load: () => Promise<View>): View {
  let loaded: View | null = null;
  return (props) => {
    const [Shown, setShown] = useState<View | null>(() => loaded);
    useEffect(() => {
      if (Shown !== null) return;
      load().then(
        (view) => {
          loaded = view;
          setShown(() => view);
        },
        // After an update of the controller the file has another name.
        (cause) => showError(new Error("this part of the page can't be loaded; load the page again", { cause })),
      );
    }, []);
    return Shown === null ? <p class="empty">loading</p> : <Shown {...props} />;
  };
}
