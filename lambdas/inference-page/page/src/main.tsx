/** One page: add products, search them by meaning, put what is found into a cart, and have the cart titled. */
import { type ComponentChildren, render } from "preact";
import { useState } from "preact/hooks";
import { ApiProblem } from "../../../../web/src/api-problem";
import { ProblemNote } from "../../../../web/src/problem";
import { Api, type Found } from "./api";
import "./style.css";

const TOKEN = "inference-token";
/** What the page says where API Gateway itself refuses a request that is not signed. */
const SIGNED = "Use an AWS client, or have the operator set inference.api.authorizer to jwt.";

function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(TOKEN) ?? "");
  const [tokenAsked, setTokenAsked] = useState(token !== "");
  const [busy, setBusy] = useState(false);
  const [status, setStatus] = useState("");
  const [error, setError] = useState<unknown>();
  const [found, setFound] = useState<readonly Found[]>();
  const [cart, setCart] = useState<readonly Found[]>([]);
  const [cartId] = useState(() => crypto.randomUUID());
  const [title, setTitle] = useState("");

  const act = async (work: (api: Api) => Promise<string>) => {
    setBusy(true);
    setError(undefined);
    setStatus("Working …");
    try {
      setStatus(await work(new Api(token.trim())));
    } catch (caught) {
      setStatus("");
      setTokenAsked((asked) => asked || (caught instanceof ApiProblem && caught.status === 401));
      setError(caught);
    } finally {
      setBusy(false);
    }
  };
  const put = (product: Found) => {
    setTitle("");
    setCart((held) => (held.some(({ id }) => id === product.id) ? held : [...held, product]));
  };
  return (
    <main>
      <h1>Products and carts</h1>
      <p class="quiet">Add products, find them by what they mean, and have a cart titled.</p>
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
      <AddForm busy={busy} act={act} />
      <SearchForm busy={busy} act={act} onFound={setFound} />
      <p role="status">{status}</p>
      <ProblemNote error={error} signedRemedy={SIGNED} />
      {found && (
        <Section name="Found">
          {found.length === 0 && <p class="quiet">Nothing was found.</p>}
          <ol class="products">
            {found.map((product) => (
              <li key={product.id}>
                <strong>{product.title}</strong> <span class="quiet">{product.score.toFixed(3)}</span>
                <p>{product.description}</p>
                <p class="quiet">{wordsOf(product)}</p>
                <button type="button" onClick={() => put(product)}>
                  Put {product.title} into the cart
                </button>
              </li>
            ))}
          </ol>
        </Section>
      )}
      {cart.length > 0 && (
        <Section name="Cart">
          <ul>
            {cart.map((product) => (
              <li key={product.id}>{product.title}</li>
            ))}
          </ul>
          <p class="actions">
            <button
              type="button"
              class="primary"
              disabled={busy}
              onClick={() =>
                void act(async (api) => {
                  const made = await api.title(
                    cartId,
                    cart.map((each) => each.title),
                  );
                  setTitle(made.title);
                  return made.cached ? "This title was there." : "This title was made now.";
                })
              }
            >
              Title the cart
            </button>
            <button
              type="button"
              onClick={() => {
                setCart([]);
                setTitle("");
              }}
            >
              Empty the cart
            </button>
          </p>
          {title && <p class="title">{title}</p>}
        </Section>
      )}
    </main>
  );
}

interface FormProps {
  readonly busy: boolean;
  /** Does something, and shows the words that come of it. */
  readonly act: (work: (api: Api) => Promise<string>) => Promise<void>;
}

function AddForm({ busy, act }: FormProps) {
  return (
    <form
      aria-label="Add a product"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const fields = textsOf(form);
        void act(async (api) => {
          const { status } = await api.add({
            id: fields.id ?? "",
            title: fields.title ?? "",
            description: fields.description ?? "",
            ...(fields.category ? { category: fields.category } : {}),
            ...(fields.price ? { price: Number(fields.price) } : {}),
          });
          form.reset();
          return `${fields.id}: ${status}.`;
        });
      }}
    >
      <Field label="Id" name="id" required />
      <Field label="Title" name="title" required />
      <Field label="Description" name="description" required />
      <Field label="Category" name="category" />
      <Field label="Price" name="price" numeric />
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>
          Add
        </button>
      </div>
    </form>
  );
}

function SearchForm({ busy, act, onFound }: FormProps & { readonly onFound: (products: readonly Found[]) => void }) {
  return (
    <form
      aria-label="Search"
      onSubmit={(event) => {
        event.preventDefault();
        const { query = "", in: category = "", most = "" } = textsOf(event.currentTarget);
        const filter = { ...(category ? { category } : {}), ...(most ? { price: { max: Number(most) } } : {}) };
        void act(async (api) => {
          const products = await api.search(query, filter);
          onFound(products);
          return `${products.length} found.`;
        });
      }}
    >
      <Field label="What is it for?" name="query" required />
      <Field label="In category" name="in" />
      <Field label="Price at most" name="most" numeric />
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>
          Search
        </button>
      </div>
    </form>
  );
}

function Field({
  label,
  name,
  numeric = false,
  required = false,
}: {
  readonly label: string;
  readonly name: string;
  readonly numeric?: boolean;
  readonly required?: boolean;
}) {
  return (
    <label>
      {label}
      <input name={name} required={required} autocomplete="off" inputMode={numeric ? "decimal" : "text"} />
    </label>
  );
}

function Section({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      {children}
    </section>
  );
}

/** What else is known of a product, in a line. */
function wordsOf({ category, price, augmentation, attributes = {} }: Found): string {
  const inferred = Object.entries(attributes).map(([name, value]) => `${name} ${String(value)}`);
  return [category, price === undefined ? "" : String(price), ...inferred, augmentation].filter(Boolean).join(" · ");
}

function textsOf(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}

const root = document.getElementById("app");
if (root) {
  render(<App />, root);
}
