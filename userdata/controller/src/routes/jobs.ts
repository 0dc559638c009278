/** Jobs: status, result and the files that they left. */
import { pipeline } from "node:stream/promises";
import type { Response, Router } from "express";
import { tenantOf } from "../auth";
import { JOB_ID } from "../ids";
import type { JobItem, JobsTable } from "../jobs-table";
import { readPage } from "../paging";
import { notFound } from "../problems";
import { jobJson, outputFile, type Results } from "../results";
import type { UserFiles } from "../user-files";

export interface JobRoutesProps {
  readonly jobs: JobsTable;
  readonly results: Results;
  readonly files: UserFiles;
}

export function jobRoutes(router: Router, { jobs, results, files }: JobRoutesProps): void {
  router.get("/v1/jobs", async (request, response) => {
    const page = await jobs.list(tenantOf(response), readPage(request));
    response.json({ ...page, items: page.items.map(jobSummary) });
  });

  router.get("/v1/jobs/:jobId", async (request, response) => {
    const job = await requireJob(jobs, response, request.params.jobId);
    response.type("application/json").send(jobJson(jobSummary(job), await results.of(job)));
  });

  router.get("/v1/jobs/:jobId/files/:name", async (request, response) => {
    const job = await requireJob(jobs, response, request.params.jobId);
    const { name } = request.params;
    const result = await results.of(job);
    const file = result === undefined ? undefined : outputFile(result, name);
    const content = file && (await files.open(job.tenant, job.jobId, file.key));
    if (!content) {
      throw notFound("file", name, `GET /v1/jobs/${job.jobId} has the names in result.files.`);
    }
    // Never shown in a browser as if it came from the controller: its content is the function's.
    response
      .attachment(name.split("/").pop())
      .type("application/octet-stream")
      .set("X-Content-Type-Options", "nosniff");
    response.set("Content-Length", String(content.bytes));
    await pipeline(content.stream, response);
  });
}

async function requireJob(jobs: JobsTable, response: Response, jobId: string): Promise<JobItem> {
  const job = JOB_ID.test(jobId) ? await jobs.find(jobId) : undefined;
  if (job?.tenant !== tenantOf(response)) {
    throw notFound("job", jobId);
  }
  return job;
}

/** A job as the API shows it, without its result. */
export function jobSummary(job: JobItem) {
  const { jobId, functionId, functionVersion, status, attempts, createdAt, startedAt, finishedAt } = job;
  return { jobId, functionId, functionVersion, status, attempts, createdAt, startedAt, finishedAt };
}
