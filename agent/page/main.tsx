import { render } from "preact";
import { loginNeeded } from "#platform/page/api-client.ts";
import { watchErrors } from "#platform/page/page-errors.ts";
import { Shell } from "#platform/page/shell.tsx";
import { watchPlace } from "#platform/page/url-state.ts";
import { followAgent, status } from "./agent-state.ts";
import { KeyForm } from "./key-form.tsx";
import { OwnPage } from "./own-page.tsx";

watchErrors();
watchPlace((path) => path === "/");
followAgent();

const pages = [{ path: "/", title: "Agent", isInNavigation: false, View: OwnPage }];
const App = () => (
  <Shell
    brand="thormesh"
    name={status.value?.agentId ?? ""}
    server="agent"
    pages={pages}
    {...(loginNeeded.value ? { instead: <KeyForm /> } : {})}
  />
);

render(<App />, document.getElementById("page") as HTMLElement);
