/** What the page shows in the pictures of the docs: a small service at one fixed moment, answered as the API would. */
import express, { type Express } from "express";
import { packCode } from "../../userdata/controller/page/client/code";
import type {
  FunctionView,
  JobStatus,
  JobSummary,
  ResultDocument,
  StatusView,
} from "../../userdata/controller/page/client/types";
import { pageRoutes } from "../../userdata/controller/src/routes/page";

/** The moment of every picture. */
export const NOW = new Date("2026-03-02T09:30:00.000Z");

const THUMBNAIL = `"""Makes an image smaller, in several sizes."""

import base64
import io

from PIL import Image

SIZES = (640, 320, 96)


def handler(event: dict[str, str]) -> dict[str, object]:
    """Takes {"image": base64}; leaves a JPEG of each size in /output."""
    image = Image.open(io.BytesIO(base64.b64decode(event["image"])))
    print(f"{image.format} of {image.width} × {image.height}")
    written = []
    for size in SIZES:
        smaller = image.convert("RGB")
        smaller.thumbnail((size, size))
        smaller.save(f"/output/{size}.jpg", quality=85)
        print(f"{size}.jpg: {smaller.width} × {smaller.height}")
        written.append(f"{size}.jpg")
    return {"written": written, "from": image.format}
`;

/** A time so many seconds before the moment. */
function before(seconds: number): string {
  return new Date(NOW.getTime() - seconds * 1_000).toISOString();
}

function id(prefix: string, number: number): string {
  return `${prefix}_01KJQ6W4YB3R6Z7K2M5N8P0Q${String(number).padStart(2, "0")}`;
}

function fn(number: number, name: string, more: Partial<FunctionView> = {}): FunctionView {
  return {
    functionId: id("fn", number),
    name,
    runtime: "python",
    handler: "main.handler",
    version: 1,
    codeSha256: "0".repeat(64),
    codeBytes: 812,
    memoryMb: 256,
    environment: {},
    secrets: {},
    egress: false,
    hasDependencies: false,
    createdAt: before(900_000),
    updatedAt: before(3_600 * number),
    ...more,
  };
}

const FUNCTIONS: readonly FunctionView[] = [
  fn(1, "thumbnail", {
    version: 3,
    codeBytes: 1_204,
    timeoutS: 60,
    environment: { QUALITY: "85" },
    hasDependencies: true,
    updatedAt: before(420),
  }),
  fn(2, "ask-ai", { version: 7, memoryMb: 128, timeoutS: 300 }),
  fn(3, "nightly-report", { runtime: "node", codeBytes: 48_120, memoryMb: 512, egress: true }),
  fn(4, "long-job", { memoryMb: 1_024, codeBytes: 2_377 }),
  fn(5, "hello", { memoryMb: 64 }),
];

function job(number: number, functionNumber: number, status: JobStatus, secondsAgo: number, tookS: number): JobSummary {
  const started = status !== "PENDING";
  const ended = started && status !== "PROCESSING";
  return {
    jobId: id("job", number),
    functionId: id("fn", functionNumber),
    functionVersion: FUNCTIONS[functionNumber - 1]?.version ?? 1,
    kind: "run",
    status,
    attempts: started ? 1 : 0,
    createdAt: before(secondsAgo),
    ...(started ? { startedAt: before(secondsAgo - 0.2) } : {}),
    ...(ended ? { finishedAt: before(secondsAgo - 0.2 - tookS) } : {}),
  };
}

const JOBS: readonly JobSummary[] = [
  job(9, 4, "PROCESSING", 754, 0),
  job(8, 2, "PENDING", 3, 0),
  job(7, 1, "SUCCESS", 21, 0.84),
  job(6, 3, "FAILED", 310, 12.4),
  job(5, 2, "SUCCESS", 602, 8.1),
  job(4, 4, "CANCELLED", 5_410, 1_190),
  job(3, 1, "SUCCESS", 7_300, 0.79),
  job(2, 5, "SUCCESS", 90_000, 0.06),
];

const LOGS: Readonly<Record<string, string>> = {
  [id("job", 9)]: Array.from({ length: 9 }, (_, index) => `${index * 80 + 80} of 2000 rows\n`).join(""),
  [id("job", 7)]: "PNG of 2400 × 1600\n640.jpg: 640 × 427\n320.jpg: 320 × 213\n96.jpg: 96 × 64\n",
};

function file(name: string, bytes: number): ResultDocument["files"][number] {
  return { name, bytes, sha256: "0".repeat(64), key: `default/${name}` };
}

function resultOf({ jobId, functionId, functionVersion, status }: JobSummary): ResultDocument {
  return {
    job_id: jobId,
    function_id: functionId,
    function_version: functionVersion,
    status: status as ResultDocument["status"],
    exit_reason: { code: "ok", message: "The function returned." },
    output: { written: ["640.jpg", "320.jpg", "96.jpg"], from: "PNG" },
    error: null,
    logs: LOGS[jobId] ?? "",
    logs_truncated: false,
    files: [file("640.jpg", 61_204), file("320.jpg", 19_377), file("96.jpg", 3_120)],
    started_at: before(21),
    finished_at: before(20),
    attempt: 1,
    ai: null,
    queue_ms: 38,
    duration_ms: 812,
    peak_memory_mb: 74,
    suggested_memory_mb: 128,
    start: "warm",
    worker_id: "i-0c2f64a1d3b87e559",
  };
}

const STATUS: StatusView = {
  queue: { visible: 1, inFlight: 1, delayed: 0 },
  deadLetters: 0,
  workers: [worker("i-0c2f64a1d3b87e559", 1, 3, 88_200), worker("i-07be3d90f1a24c6d2", 0, 2, 61_500)],
};

function worker(workerId: string, busy: number, warm: number, upS: number) {
  const times = { startedAt: before(upS), updatedAt: before(6) };
  return { workerId, slots: 2, busy, warm, runtimes: ["python", "node"], version: "0.1.0", ...times };
}

/** The page, and an API that knows these functions and jobs. */
export function fixtureApp(): Express {
  const app = express();
  pageRoutes(app);
  app.get("/v1/status", (_request, response) => void response.json(STATUS));
  app.get("/v1/functions", (_request, response) => void response.json({ items: FUNCTIONS }));
  app.get("/v1/functions/:functionId", (request, response) => {
    response.json(FUNCTIONS.find(({ functionId }) => functionId === request.params.functionId));
  });
  app.get("/v1/functions/:functionId/code", (_request, response) => {
    const files = { "main.py": Buffer.from(THUMBNAIL), "requirements.txt": Buffer.from("pillow==11.3.0\n") };
    response.type("application/zip").send(Buffer.from(packCode(files)));
  });
  app.post("/v1/functions/:functionId/invocations", (_request, response) => {
    response.status(202).json(JOBS.find(({ jobId }) => jobId === id("job", 7)));
  });
  app.get("/v1/jobs", (request, response) => {
    const { functionId } = request.query;
    response.json({ items: JOBS.filter((item) => functionId === undefined || item.functionId === functionId) });
  });
  app.get("/v1/jobs/:jobId", (request, response) => {
    response.json(JOBS.find(({ jobId }) => jobId === request.params.jobId));
  });
  app.get("/v1/jobs/:jobId/events", (request, response) => {
    const followed = JOBS.find(({ jobId }) => jobId === request.params.jobId);
    if (!followed) {
      response.status(404).end();
      return;
    }
    const send = (event: string, data: object) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    response.type("text/event-stream");
    send("status", followed);
    send("log", { attempt: 1, offset: 0, text: LOGS[followed.jobId] ?? "" });
    // One that runs stays open.
    if (followed.finishedAt !== undefined) {
      send("result", resultOf(followed));
      response.end();
    }
  });
  return app;
}

/** Places on the page that the pictures show. */
export const PLACES = {
  thumbnail: `functions/${id("fn", 1)}`,
  running: `jobs/${id("job", 9)}`,
} as const;
