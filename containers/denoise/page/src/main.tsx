/** One page: choose an image, denoise it, see before and after, download. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem } from "../../../../web/src/api-problem";
import { ProblemNote } from "../../../../web/src/problem";
import { Api, type Inference, type Order } from "./api";
import { Compare } from "./compare";
import { decode, type Grey, NotShown } from "./decode";
import { OrderFields } from "./order";
import "./style.css";

/** What the page says where API Gateway itself refuses a request that is not signed. */
const SIGNED = "Use npm run denoise, or have the operator set denoise.api.authorizer to jwt.";
const TOKEN = "denoise-token";
/** What the service takes. */
const TYPES = ".tif,.tiff,.png,image/tiff,image/png";

/** The chosen file, and how it looks, or why it cannot be shown. */
interface Chosen {
  readonly file: File;
  readonly image?: Grey;
  readonly notShown?: string;
}

/** What came of it. */
interface Result {
  readonly inference: Inference;
  readonly blobUrl: string;
  readonly image?: Grey;
  readonly notShown?: string;
}

function App() {
  const [chosen, setChosen] = useState<Chosen>();
  const [order, setOrder] = useState<Order>({ model: "efficient", strength: 10, digital_offset: 0 });
  const [step, setStep] = useState<string>();
  const [sent, setSent] = useState<number>();
  const [result, setResult] = useState<Result>();
  const [error, setError] = useState<unknown>();
  const [token, setToken] = useState(() => sessionStorage.getItem(TOKEN) ?? "");
  const [tokenAsked, setTokenAsked] = useState(token !== "");
  const running = useRef<AbortController>(undefined);

  useEffect(() => () => URL.revokeObjectURL(result?.blobUrl ?? ""), [result]);

  const choose = async (file: File | undefined) => {
    if (!file) {
      return;
    }
    running.current?.abort();
    setResult(undefined);
    setError(undefined);
    setChosen({ file, ...(await shown(file)) });
  };

  const run = async ({ file }: Chosen) => {
    const controller = new AbortController();
    running.current = controller;
    const api = new Api(token.trim(), controller.signal);
    setResult(undefined);
    setError(undefined);
    try {
      setStep("Uploading");
      setSent(0);
      const key = await api.upload(keyOf(file.name), file, setSent);
      setSent(undefined);
      setStep("Denoising");
      const inference = await api.denoise(key, order);
      setStep("Downloading");
      const blob = await api.download(inference.output ?? key);
      setResult({ inference, blobUrl: URL.createObjectURL(blob), ...(await shown(blob)) });
      setStep("Done");
    } catch (caught) {
      setStep(undefined);
      if (!controller.signal.aborted) {
        setTokenAsked((asked) => asked || (caught instanceof ApiProblem && caught.status === 401));
        setError(caught);
      }
    } finally {
      setSent(undefined);
    }
  };

  const isBusy = step !== undefined && step !== "Done";
  return (
    <main>
      <h1>Denoise</h1>
      <p class="quiet">A noisy grey image in, a clean one out: TIFF of 8 to 16 bits, or PNG.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (chosen && !isBusy) {
            void run(chosen);
          }
        }}
      >
        <label
          class="drop"
          onDragOver={(event) => event.preventDefault()}
          onDrop={(event) => {
            event.preventDefault();
            void choose(event.dataTransfer?.files[0]);
          }}
        >
          Image
          <input type="file" accept={TYPES} onChange={({ currentTarget }) => void choose(currentTarget.files?.[0])} />
        </label>
        <OrderFields order={order} onChange={setOrder} />
        {tokenAsked && (
          <label>
            Token
            <input
              type="password"
              autocomplete="off"
              value={token}
              onInput={({ currentTarget }) => {
                setToken(currentTarget.value);
                sessionStorage.setItem(TOKEN, currentTarget.value);
              }}
            />
          </label>
        )}
        <div class="actions">
          <button type="submit" class="primary" disabled={!chosen || isBusy}>
            Denoise
          </button>
          {isBusy && (
            <button
              type="button"
              onClick={() => {
                running.current?.abort(new DOMException("Cancelled.", "AbortError"));
                setStep(undefined);
              }}
            >
              Cancel
            </button>
          )}
          <span role="status">{step && `${step}${isBusy ? " …" : "."}`}</span>
          {sent !== undefined && <progress aria-label="Uploaded" max={1} value={sent} />}
        </div>
      </form>
      <ProblemNote error={error} signedRemedy={SIGNED} />
      {chosen?.notShown && <p class="note quiet">{`${chosen.file.name}: ${chosen.notShown}`}</p>}
      {chosen?.image && <Compare name={chosen.file.name} before={chosen.image} after={result?.image} />}
      {chosen && result && <Outcome name={chosen.file.name} result={result} />}
    </main>
  );
}

function Outcome({
  name,
  result: { inference, blobUrl, notShown },
}: {
  readonly name: string;
  readonly result: Result;
}) {
  const { model, strength, width, height, bits, pages = 1, steps = {} } = inference;
  const facts: [string, string][] = [
    ["Model", `${model}, strength ${strength}`],
    ["Image", `${width} × ${height}, ${bits} bits${pages > 1 ? `, ${pages} pages, of which the first is shown` : ""}`],
    ...Object.entries(steps).map(([step, ms]): [string, string] => [step, `${Math.round(ms)} ms`]),
  ];
  return (
    <section aria-label="Result">
      {notShown && <p class="note quiet">{notShown}</p>}
      <p class="actions">
        <a class="button" href={blobUrl} download={cleanName(name)}>
          Download the result
        </a>
        <span class="quiet">{inference.output}</span>
      </p>
      <dl>
        {facts.map(([term, text]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

async function shown(file: Blob): Promise<{ image: Grey } | { notShown: string }> {
  try {
    return { image: decode(new Uint8Array(await file.arrayBuffer())) };
  } catch (error) {
    return { notShown: error instanceof NotShown ? error.message : "It cannot be read." };
  }
}

/** A key of its own for each upload, with what of the file's name a key may hold. */
function keyOf(name: string): string {
  const [, stem = name, end = ""] = /^(.*)\.([A-Za-z]+)$/s.exec(name) ?? [];
  const safe =
    stem
      .replace(/[^\p{L}\p{N}._-]+/gu, "_")
      .replace(/^\.+/, "_")
      .slice(0, 80) || "image";
  return `page/${crypto.randomUUID()}/${safe}.${end.toLowerCase()}`;
}

function cleanName(name: string): string {
  return name.replace(/(\.[^.]*)?$/, "-clean$1");
}

const root = document.getElementById("app");
if (root) {
  render(<App />, root);
}
