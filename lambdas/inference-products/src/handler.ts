/** `POST /products`, one or a batch, as an HTTP API's Lambda integration, payload format 2.0. */
import { z } from "zod";
import { internal, invalid, NAMESPACE, tooLarge } from "../../inference-shared/src/problems";
import { type Accepted, MOST_PRODUCTS, type Product, product, productList } from "../../inference-shared/src/product";
import { createStore, startProgram, storeVariables } from "../../inference-shared/src/programs";
import { checked, jsonBody } from "../../inference-shared/src/request";
import { Deadline } from "../../inference-shared/src/retry";
import { storeProducts } from "../../inference-shared/src/store";
import { wholeNumber } from "../../shared/environment";
import { type Done, httpHandler } from "../../shared/http";
import { Problem } from "../../shared/problem";
import { Queue } from "./queue";

// Made when Lambda starts the function, so that wrong settings fail its start and not a request.
const { log, variables } = startProgram("inference-products", {
  ...storeVariables,
  INFERENCE_QUEUE_URL: z.url({ error: "expected a URL" }).describe("Set it to the output queueUrl of inference-api."),
  INFERENCE_INLINE_PRODUCTS: wholeNumber(1, MOST_PRODUCTS, "products").describe(
    "Set how many products are stored before the answer; a larger batch is queued.",
  ),
});
const store = createStore(variables, log);
const queue = new Queue({
  url: variables.INFERENCE_QUEUE_URL,
  region: variables.AWS_REGION,
  endpoint: variables.AWS_ENDPOINT_URL,
  log,
});

/** Answers one request. */
export const handler = httpHandler({
  namespace: NAMESPACE,
  log,
  unexpected: internal,
  work: async (event, context) => {
    const products = productsOf(jsonBody(event));
    const deadline = Deadline.of(context);
    const acceptedAt = new Date();
    const accepted = products.map((each) => ({ product: each, acceptedAt }));
    return products.length > variables.INFERENCE_INLINE_PRODUCTS
      ? enqueue(accepted, event.requestContext.requestId, deadline)
      : storeNow(accepted, deadline);
  },
});

function productsOf(body: unknown): readonly Product[] {
  const isBatch = typeof body === "object" && body !== null && "products" in body;
  const products = isBatch ? checked(productList, body).products : [checked(product, body)];
  if (products.length > MOST_PRODUCTS) {
    throw tooLarge("products", `expected at most ${MOST_PRODUCTS}, got ${products.length}`);
  }
  const ids = products.map(({ id }) => id);
  const errors = ids.flatMap((id, index) => {
    const first = ids.indexOf(id);
    return first < index ? [{ field: `products.${index}.id`, detail: `is the id of products.${first} too` }] : [];
  });
  if (errors.length > 0) {
    throw invalid(errors);
  }
  return products;
}

async function enqueue(accepted: readonly Accepted[], requestId: string, deadline: Deadline): Promise<Done> {
  await queue.send(accepted, requestId, deadline);
  const document = { batchId: requestId, status: "queued", products: accepted.length };
  return { status: 202, document, about: { products: accepted.length, queued: true } };
}

async function storeNow(accepted: readonly Accepted[], deadline: Deadline): Promise<Done> {
  const outcomes = await storeProducts(accepted, store, deadline);
  const products = outcomes.map((outcome, index) => {
    const id = accepted[index]?.product.id ?? "";
    return outcome.status === "fulfilled" ? { id, status: outcome.value } : { id, status: "failed" };
  });
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) {
    const { props } = failed.reason instanceof Problem ? failed.reason : internal(failed.reason);
    // Those that are stored stay stored: sent again, they cost nothing.
    throw new Problem({ ...props, members: { products } });
  }
  return { status: 200, document: { products }, about: { products: products.length } };
}
