/** Figures in words, the same on the page and on the command line. */
import type { FunctionView, JobSummary, ResultDocument } from "./types";

/** A duration for people: `38 ms`, `1.4 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1_000) {
    return `${Math.round(ms)} ms`;
  }
  if (ms < 60_000) {
    return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  }
  const seconds = Math.round(ms / 1_000);
  return seconds < 3_600
    ? two(Math.floor(seconds / 60), "min", seconds % 60, "s")
    : two(Math.floor(seconds / 3_600), "h", Math.floor((seconds % 3_600) / 60), "min");
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** A size for people: `512 B`, `3.2 KiB`, `64 MiB`. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How long ago a time was: `just now`, `40 s ago`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1_000));
  if (seconds < 5) {
    return "just now";
  }
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  if (seconds < 3_600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

/**
 * What a run's memory means for the function: `Used 38 of 256 MiB; 64 would do.`
 * @param memoryMb the limit that the run had; undefined where it is not known any more
 * @returns undefined where nothing was measured
 */
export function memoryAdvice(
  result: ResultDocument,
  memoryMb: FunctionView["memoryMb"] | undefined,
): string | undefined {
  const { peak_memory_mb: peak, suggested_memory_mb: suggested, exit_reason } = result;
  const limit = memoryMb === undefined ? "" : ` of ${memoryMb}`;
  if (exit_reason.code === "out_of_memory") {
    const remedy = suggested === null ? "Give the function more." : `Try ${suggested}.`;
    return memoryMb === undefined ? `Ran out of memory. ${remedy}` : `Ran out of its ${memoryMb} MiB. ${remedy}`;
  }
  if (peak === null) {
    return undefined;
  }
  const used = `Used ${Math.round(peak)}${limit} MiB`;
  if (suggested === null || suggested === memoryMb) {
    return `${used}.`;
  }
  if (memoryMb !== undefined && suggested > memoryMb) {
    return `${used}: that is tight, ${suggested} would be safe.`;
  }
  return `${used}; ${suggested} would do.`;
}

/** What happened, in a word or two, for a table. */
export function outcome({ status }: Pick<JobSummary, "status">): string {
  const words = {
    PENDING: "waiting",
    PROCESSING: "running",
    SUCCESS: "done",
    FAILED: "failed",
    CANCELLED: "cancelled",
  };
  return words[status];
}

/** From start to end of a job, as far as both are known. */
export function elapsed({ startedAt, finishedAt }: JobSummary): string {
  return startedAt && finishedAt ? duration(Date.parse(finishedAt) - Date.parse(startedAt)) : "";
}
