import { effect, untracked } from "@preact/signals";
import { render } from "preact";
import { noteAway } from "#platform/page/connection.ts";
import { LoginDialog, LoginPage, SessionTools } from "#platform/page/login.tsx";
import { watchErrors } from "#platform/page/page-errors.ts";
import { isLoggedOut, loadSession, session } from "#platform/page/session.ts";
import { Shell } from "#platform/page/shell.tsx";
import { matchPath, watchPlace } from "#platform/page/url-state.ts";
import { fleet, followFleet } from "./fleet-state.ts";
import { pageList, prepareOthers } from "./page-list.ts";

const retryMs = 2_000;
/** Time in which the first page has the line for itself. */
const othersAfterMs = 1_500;

/** Asks who the user is, until there is an answer. */
function findSession(): void {
  loadSession().catch((error: unknown) => {
    noteAway(error);
    setTimeout(findSession, retryMs);
  });
}

watchErrors();
watchPlace((path) => pageList.some((entry) => matchPath(entry.path, path) !== null));
findSession();
// The first pages are in this file. The others come at once where one of them is asked for, else when the first is there.
if (["/", "/agents"].includes(location.pathname)) setTimeout(prepareOthers, othersAfterMs);
else prepareOthers();
// Nothing is asked for before it is known that there will be an answer.
let isFollowing = false;
effect(() => {
  if (isFollowing || session.value === null || isLoggedOut.value) return;
  isFollowing = true;
  untracked(followFleet);
});

const App = () => {
  const instead = session.value === null ? <p class="empty">loading</p> : isLoggedOut.value ? <LoginPage /> : undefined;
  return (
    <Shell
      brand="thormesh"
      name={fleet.value?.fleet ?? ""}
      pages={pageList}
      tools={<SessionTools />}
      over={<LoginDialog />}
      {...(instead === undefined ? {} : { instead })}
    />
  );
};

render(<App />, document.getElementById("page") as HTMLElement);
