/** What a request says, checked: every error with its path. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { z } from "zod";
import { invalid } from "./problems";

/**
 * The body of a request as JSON.
 *
 * @throws Problem 400 when it is none
 */
export function jsonBody({ body = "", isBase64Encoded }: APIGatewayProxyEventV2): unknown {
  try {
    return JSON.parse(isBase64Encoded ? Buffer.from(body, "base64").toString() : body);
  } catch {
    throw invalid([{ field: "body", detail: "expected JSON" }]);
  }
}

/**
 * Checks a value.
 *
 * @throws Problem 400 with every error and its path, such as `products.3.title`
 */
export function checked<T>(shape: z.ZodType<T>, value: unknown): T {
  const parsed = shape.safeParse(value);
  if (parsed.success) {
    return parsed.data;
  }
  throw invalid(parsed.error.issues.map(({ path, message }) => ({ field: path.join(".") || "body", detail: message })));
}
