import { render } from "preact";
import { watchErrors } from "#platform/page/page-errors.ts";
import { Shell } from "#platform/page/shell.tsx";
import { matchPath, watchPlace } from "#platform/page/url-state.ts";
import { fleet, followFleet } from "./fleet-state.ts";
import { pageList } from "./page-list.ts";

watchErrors();
watchPlace((path) => pageList.some((entry) => matchPath(entry.path, path) !== null));
followFleet();

const App = () => <Shell brand="thormesh" name={fleet.value?.fleet ?? ""} pages={pageList} />;

render(<App />, document.getElementById("page") as HTMLElement);
