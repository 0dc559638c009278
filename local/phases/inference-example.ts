/** The proof that the inference cluster runs: three products go in, a paraphrase finds its own, and a cart with it gets a title. */
import { Problem } from "../../commands/support/problem";
import type { Needs, Outcome, Report } from "../phase";

/** What came of it. */
export interface InferenceExample {
  readonly query: string;
  /** What was found first, and how near it is: 0 to 1. */
  readonly found: string;
  readonly score: number;
  readonly title: string;
}

const ANSWER_MS = 30_000;
const QUERY = "something to keep my feet dry in the mountains";
const EXPECTED = "example-boots";
const PRODUCTS = [
  {
    id: EXPECTED,
    title: "Waterproof hiking boots",
    description: "Leather boots with a membrane and a firm sole, for long walks on wet trails.",
    category: "outdoor",
    price: 139,
  },
  {
    id: "example-kettle",
    title: "Electric kettle",
    description: "Boils a litre of water in three minutes and switches itself off.",
    category: "kitchen",
    price: 39,
  },
  {
    id: "example-lamp",
    title: "Desk lamp",
    description: "A warm, dimmable light with a long arm for reading and drawing.",
    category: "office",
    price: 59,
  },
] as const;

/** Runs it. */
export async function runExample(
  { inferencePrograms: { url } }: Needs<"inferencePrograms">,
  report: Report,
): Promise<Outcome<InferenceExample>> {
  report.say("three products: vectors and attributes");
  await post(url, "/products", { products: PRODUCTS });
  report.say("a search by meaning");
  const { products } = await post<{ products: { id: string; title: string; score: number }[] }>(
    url,
    "/products/search",
    { query: QUERY, limit: 3 },
  );
  const [first] = products;
  if (first?.id !== EXPECTED) {
    throw new Problem(
      `"${QUERY}" found ${first?.id ?? "nothing"}, expected ${EXPECTED}.`,
      "Look at the log of inference-gateway.",
    );
  }
  report.say("a cart's title");
  const cart = { items: [{ title: first.title }, { title: "Wool socks", quantity: 2 }], occasion: "Autumn hike" };
  const { title } = await post<{ title: string }>(url, "/carts/example/title", cart);
  const value = { query: QUERY, found: first.title, score: first.score, title };
  return { value, summary: `${first.title}, ${first.score.toFixed(3)}` };
}

/** What was asked and found, in words. */
export function exampleText({ query, found, score, title }: InferenceExample): string {
  return [`Asked for   ${query}`, `Found       ${found} (${score.toFixed(3)})`, `Titled      ${title}`].join("\n");
}

async function post<T>(url: string, path: string, body: object): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Problem(
      `POST ${path} answered ${response.status}: ${text.slice(0, 500)}`,
      "Look at the log of inference-gateway.",
    );
  }
  return JSON.parse(text) as T;
}
