/** Requests that stay open for long: each is told to end when its client has gone or the controller stops. */
import type { Response } from "express";

export class OpenRequests {
  private readonly controllers = new Set<AbortController>();

  /** @param stopping aborted when the controller stops */
  constructor(private readonly stopping: AbortSignal) {
    stopping.addEventListener("abort", () => {
      for (const controller of this.controllers) {
        controller.abort();
      }
    });
  }

  /** How many there are. */
  get size(): number {
    return this.controllers.size;
  }

  /** Does `work`, whose signal is aborted when the response closes or the controller stops. */
  async during<T>(response: Response, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    response.once("close", abort);
    this.controllers.add(controller);
    if (this.stopping.aborted || response.closed) {
      abort();
    }
    try {
      return await work(controller.signal);
    } finally {
      this.controllers.delete(controller);
      response.off("close", abort);
    }
  }
}
