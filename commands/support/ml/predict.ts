/** Predictions for the rows of a file: in batches, with what is wrong told by line and column. */
import { table } from "../table";
import type { MlClient, Prediction } from "./client";
import { type CellError, type Row, readRows } from "./csv";

/** A row that was predicted. */
export interface PredictedRow extends Prediction {
  /** Line of the file. */
  readonly line: number;
}

/** What became of a file. */
export interface PredictedFile {
  readonly model: { readonly name: string; readonly version: string };
  /** In the order of the file. */
  readonly predictions: readonly PredictedRow[];
  /** Lines that were not predicted, and why. */
  readonly errors: readonly CellError[];
  /** Columns of the file that the model does not know. */
  readonly ignored: readonly string[];
}

/**
 * Predicts what can be predicted.
 *
 * @param file path of a CSV file whose header names the model's features
 * @param batch most rows of one request; the function's own limit holds besides
 * @throws Problem when the file cannot be used at all, or the function does not answer
 */
export async function predictFile(client: MlClient, file: string, batch: number): Promise<PredictedFile> {
  const card = await client.card();
  const { errors, ignored, rows } = readRows(
    file,
    card.features.map(({ name }) => name),
  );
  const predictions: PredictedRow[] = [];
  const refused: CellError[] = [];
  const size = Math.min(batch, card.maxRows);
  for (let start = 0; start < rows.length; start += size) {
    await predictRows(client, rows.slice(start, start + size), predictions, refused);
  }
  return {
    model: { name: card.name, version: card.version },
    predictions,
    errors: [...errors, ...refused].sort((a, b) => a.line - b.line),
    ignored,
  };
}

/** Sends rows; those that are refused are left out, and the others are sent again. */
async function predictRows(
  client: MlClient,
  rows: readonly Row[],
  predictions: PredictedRow[],
  refused: CellError[],
): Promise<void> {
  if (rows.length === 0) {
    return;
  }
  const answer = await client.predict(rows.map(({ values }) => values));
  if ("predictions" in answer) {
    predictions.push(...rows.map(({ line }, index) => ({ line, ...(answer.predictions[index] as Prediction) })));
    return;
  }
  const wrong = new Set(answer.errors.map(({ row }) => row));
  for (const { detail, field, row } of answer.errors) {
    refused.push({ line: rows[row ?? 0]?.line ?? 0, column: field, detail });
  }
  const left = rows.filter((_, index) => !wrong.has(index));
  await predictRows(client, left.length < rows.length ? left : [], predictions, refused);
}

/** The predictions as a table, what is wrong below it. */
export function predictedText(file: string, { errors, ignored, model, predictions }: PredictedFile): string {
  const classes = Object.keys(predictions[0]?.probabilities ?? {});
  const rows = predictions.map(({ class: name, line, outside, probabilities }) => [
    String(line),
    `${name}${outside.length > 0 ? "  *" : ""}`,
    ...classes.map((each) => (probabilities[each] ?? 0).toFixed(3)),
  ]);
  const outside = predictions.filter((each) => each.outside.length > 0);
  const notes = [
    `${predictions.length} rows of ${file}, model ${model.name} ${model.version}`,
    ...(outside.length > 0 ? ["", "* outside of what the model has seen:"] : []),
    ...outside.map(({ line, outside: names }) => `  line ${line}: ${names.join(", ")}`),
    ...(ignored.length > 0 ? ["", `Columns that the model does not know: ${ignored.join(", ")}`] : []),
    ...(errors.length > 0 ? ["", `${new Set(errors.map(({ line }) => line)).size} rows were not predicted:`] : []),
    ...errors.map(({ column, detail, line }) => `  line ${line}${column && `, column ${column}`}: ${detail}`),
  ];
  const drawn = rows.length === 0 ? [] : [table(["line", "class", ...classes], rows, { words: 2 }), ""];
  return [...drawn, ...notes].join("\n");
}
