import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { noteAway } from "#platform/page/connection.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { canOperate, session } from "#platform/page/session.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { BacktestCard } from "./backtest-card.tsx";
import {
  currentText,
  draft,
  edit,
  findBacktest,
  isOutdated,
  loadPolicyFile,
  mistakes,
  type PolicyFile,
  policyFile,
  previewDraft,
} from "./policy-data.ts";
import { PolicyPreviewCard } from "./policy-preview.tsx";
import { UploadDialog } from "./upload-dialog.tsx";

function Head({ file }: { readonly file: PolicyFile }) {
  return (
    <>
      <div class="title">
        <h1>Policy {safeText(file.name, 64)}</h1>
        {file.mode === "preview" ? <StatusWord kind="idle" word="preview" /> : <StatusWord kind="good" word="acts" />}
      </div>
      <dl class="pairs">
        <dt>from</dt>
        <dd>
          <code>{safeText(file.path)}</code>
        </dd>
        <dt>version</dt>
        <dd>
          <code>{file.version === "" ? "–" : file.version}</code>
        </dd>
        <dt>in force since</dt>
        <dd>{timeText(file.loadedAtMs, "full")}</dd>
      </dl>
      {file.problem === null ? null : (
        <p class="note bad">■ The file as it is now is not in force: {safeText(file.problem, 2_000)}</p>
      )}
      {file.fault === null ? null : <p class="note warn">▲ The file can't be shown: {safeText(file.fault, 2_000)}</p>}
    </>
  );
}

function Mistakes() {
  const found = mistakes.value;
  return (
    <div role="alert" id="policy-mistakes">
      {found.length === 0 ? null : (
        <div class="note bad">
          <p>■ {found.length === 1 ? "This is wrong:" : `${found.length} things are wrong:`}</p>
          <ul>
            {found.map((each) => (
              <li key={each}>{safeText(each, 500)}</li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function Editor({ file }: { readonly file: PolicyFile | null }) {
  const isUploading = useSignal(false);
  const isAdmin = session.value?.caller?.role === "admin";
  const text = currentText();
  const openUpload = async () => {
    // What is put in force was looked at before.
    if (await previewDraft()) isUploading.value = true;
  };
  return (
    <section class="card" aria-label="The policy's text">
      <div class="title">
        <h2 id="policy-text">Text</h2>
        {file?.isMasked ? (
          <span class="muted">secrets are placeholders (***) that keep their values; comments are left out</span>
        ) : null}
        {draft.value === null ? null : <StatusWord kind="warn" word="changed here, not in force" />}
      </div>
      <textarea
        class="code"
        name="policy"
        rows={Math.min(30, Math.max(10, text.split("\n").length + 1))}
        aria-labelledby="policy-text"
        aria-describedby="policy-mistakes"
        spellcheck={false}
        readOnly={!canOperate.value}
        value={text}
        onInput={(event) => {
          edit(event.currentTarget.value);
        }}
      />
      {isOutdated() ? (
        <p class="note warn">
          ▲ The policy was changed meanwhile: undo your changes to see it, and make them once more.
        </p>
      ) : null}
      <Mistakes />
      {canOperate.value ? (
        <p class="buttons">
          <button type="button" class="primary" onClick={() => void previewDraft()}>
            Preview
          </button>
          {isAdmin && file !== null ? (
            <button type="button" disabled={draft.value === null} onClick={() => void openUpload()}>
              Put in force…
            </button>
          ) : null}
          <button
            type="button"
            disabled={draft.value === null}
            onClick={() => {
              draft.value = null;
              mistakes.value = [];
            }}
          >
            Undo my changes
          </button>
        </p>
      ) : null}
      {isUploading.value ? (
        <UploadDialog
          onClose={() => {
            isUploading.value = false;
          }}
        />
      ) : null}
    </section>
  );
}

const refreshMs = 5_000;

/** The scaling policy: what is in force, an editor with preview, and a backtest on the recorded traffic. */
export function PolicyPage() {
  useEffect(() => {
    const load = () => {
      if (!document.hidden) loadPolicyFile().catch(noteAway);
    };
    load();
    findBacktest().catch(noteAway);
    const timer = setInterval(load, refreshMs);
    return () => clearInterval(timer);
  }, []);
  const file = policyFile.value;
  if (file === null) return <h1>Policy</h1>;
  return (
    <>
      {"missing" in file ? (
        <>
          <h1>Policy</h1>
          <p class="note">
            The limits of the controller's configuration are in force: {safeText(file.missing)}. A policy can be tried
            here all the same.
          </p>
        </>
      ) : (
        <section aria-label="In force">
          <Head file={file} />
        </section>
      )}
      <Editor file={"missing" in file ? null : file} />
      <PolicyPreviewCard />
      <BacktestCard />
    </>
  );
}
