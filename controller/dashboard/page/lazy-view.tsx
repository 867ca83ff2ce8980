import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { showError } from "#platform/page/page-errors.ts";

/** A part whose code is loaded when it is first shown: the first page does not wait for all the others. */
export function lazyView<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | null = null;
  return (props: Props) => {
    const [Shown, setShown] = useState<ComponentType<Props> | null>(() => loaded);
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
