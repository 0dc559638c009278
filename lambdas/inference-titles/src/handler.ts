/** `POST /carts/{id}/title`: a title for what is in a cart, as an HTTP API's Lambda integration, payload format 2.0. */
import { z } from "zod";
import { Database, databaseProps, databaseVariables } from "../../inference-shared/src/database";
import { internal, NAMESPACE } from "../../inference-shared/src/problems";
import { shopId } from "../../inference-shared/src/product";
import { createBedrock, startProgram } from "../../inference-shared/src/programs";
import { checked, jsonBody } from "../../inference-shared/src/request";
import { Deadline } from "../../inference-shared/src/retry";
import { awsVariables, text, wholeNumber } from "../../shared/environment";
import { httpHandler } from "../../shared/http";
import { cart, writeTitle } from "./prompt";
import { TitleBook } from "./title-book";

const { log, variables } = startProgram("inference-titles", {
  ...awsVariables,
  ...databaseVariables,
  INFERENCE_TITLE_MODEL: text().describe("Set it to the id of a model or of an inference profile."),
  INFERENCE_TITLE_DAYS: wholeNumber(1, 3_650, "days").describe("Set how long a title is kept."),
});
const bedrock = createBedrock(variables, log);
const book = new TitleBook(
  new Database(databaseProps(variables, log)),
  variables.INFERENCE_TITLE_MODEL,
  variables.INFERENCE_TITLE_DAYS,
);

/** Answers one request. */
export const handler = httpHandler({
  namespace: NAMESPACE,
  log,
  unexpected: internal,
  work: async (event, context) => {
    const { id } = checked(z.object({ id: shopId }), event.pathParameters ?? {});
    const inputs = checked(cart, jsonBody(event));
    const deadline = Deadline.of(context);
    const model = variables.INFERENCE_TITLE_MODEL;
    const { title, cached } = await book.titleOf({ cartId: id, inputs, owner: context.awsRequestId, deadline }, () =>
      writeTitle(bedrock, model, inputs, deadline),
    );
    return { status: 200, document: { cartId: id, title, model, cached }, about: { cartId: id, cached } };
  },
});
