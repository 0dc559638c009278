/** The service's API, as the page uses it: sign, upload, ask, wait, download. */
import { ApiProblem, type ProblemDocument } from "../../../../web/src/api-problem";

/** What an upload is signed with. */
interface SignedUpload {
  readonly key: string;
  readonly post: { readonly url: string; readonly fields: Readonly<Record<string, string>> };
}

/** What is asked of the service. */
export interface Order {
  readonly model: "efficient" | "powerful";
  /** 0 (nothing) to 20. */
  readonly strength: number;
  /** What the detector counts without any signal. */
  readonly digital_offset: number;
  /** Bits that the detector fills. @default - all that the file has */
  readonly using_bits?: number;
}

/** A request's state, as the service tells it. */
export interface Inference {
  readonly id: string;
  readonly status: "running" | "succeeded" | "failed";
  readonly output?: string;
  readonly model?: string;
  readonly strength?: number;
  readonly pages?: number;
  readonly width?: number;
  readonly height?: number;
  readonly bits?: number;
  /** Milliseconds of each step. */
  readonly steps?: Readonly<Record<string, number>>;
  readonly error?: ProblemDocument;
}

/** First wait between two questions, and the longest, in milliseconds. */
const POLL_MS = { first: 500, longest: 4_000 };
/** Questions in a row that may fail before the page gives up. */
const POLL_FAILURES = 5;
/** Longest that an answer of the API may take: API Gateway's own limit is 30 s. */
const ANSWER_MS = 35_000;

/** Calls to the API that serves the page, with a token where it asks for one. */
export class Api {
  constructor(
    private readonly token: string,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Uploads an image by presigned POST, whose policy bounds what it may be.
   *
   * @param onProgress gets the share that is sent, 0 to 1
   * @returns its key
   */
  async upload(key: string, file: Blob, onProgress: (share: number) => void): Promise<string> {
    const signed = await this.json<SignedUpload>(`/presign?${new URLSearchParams({ file: key, mode: "upload" })}`);
    const form = new FormData();
    for (const [name, value] of Object.entries(signed.post.fields)) {
      form.append(name, value);
    }
    form.append("file", file);
    await this.post(signed.post.url, form, onProgress);
    return signed.key;
  }

  /** Asks for an image and waits until it is done. */
  async denoise(file: string, order: Order): Promise<Inference> {
    const body = JSON.stringify({ file, ...order });
    let state = await this.json<Inference>("/inference", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    const path = `/inference/${encodeURIComponent(state.id)}`;
    let failures = 0;
    for (let waitMs = POLL_MS.first; state.status === "running"; waitMs = Math.min(waitMs * 1.5, POLL_MS.longest)) {
      // Not all at once, where many wait.
      await this.pause(waitMs * (0.75 + Math.random() / 2));
      try {
        state = await this.json<Inference>(path);
        failures = 0;
      } catch (error) {
        failures++;
        const isPassing = !(error instanceof ApiProblem) || error.status === 429 || error.status >= 500;
        if (this.signal.aborted || !isPassing || failures >= POLL_FAILURES) {
          throw error;
        }
      }
    }
    if (state.status === "failed") {
      throw new ApiProblem(500, state.error ?? { title: "The image could not be denoised", requestId: state.id });
    }
    return state;
  }

  /** Downloads a result. */
  async download(key: string): Promise<Blob> {
    const { url } = await this.json<{ url: string }>(
      `/presign?${new URLSearchParams({ file: key, mode: "download" })}`,
    );
    const response = await fetch(url, { signal: this.signal });
    if (!response.ok) {
      throw new ApiProblem(response.status, s3Problem(await response.text(), response.status));
    }
    return response.blob();
  }

  private async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers = { ...init.headers, ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) };
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(ANSWER_MS)]);
    const response = await fetch(path, { ...init, headers, signal });
    const text = await response.text();
    const document = parsed(text);
    if (!response.ok || document === undefined) {
      throw new ApiProblem(response.status, document ?? { detail: `An answer that is no JSON: ${text.slice(0, 100)}` });
    }
    return document as T;
  }

  /** With XMLHttpRequest: fetch does not tell how much is sent. */
  private post(url: string, form: FormData, onProgress: (share: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", url);
      request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
      request.onload = () =>
        request.status < 300
          ? resolve()
          : reject(new ApiProblem(request.status, s3Problem(request.responseText, request.status)));
      request.onerror = () =>
        reject(
          new Error(
            "The upload did not reach the bucket. Check the connection, and that the bucket's CORS allows this page.",
          ),
        );
      request.onabort = () => reject(this.signal.reason);
      this.signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(form);
    });
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      this.signal.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          reject(this.signal.reason);
        },
        { once: true },
      );
    });
  }
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** S3's XML errors in the form of the others; its code says what to do. */
function s3Problem(xml: string, status: number): ProblemDocument {
  // Read as text: a parser of XML is more than two fields ask for.
  const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  const code = field("Code");
  const remedies: Readonly<Record<string, string>> = {
    EntityTooLarge: "Choose a smaller image.",
    AccessDenied: "Try again: the upload's signature is good for five minutes.",
  };
  return {
    title: "The bucket refused",
    detail: `${code ?? `status ${status}`}: ${field("Message") ?? "no reason given"}`,
    remedy: (code && remedies[code]) ?? "Try again; if it fails again, tell the operator.",
  };
}
