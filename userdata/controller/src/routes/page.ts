/** The page for people: HTML at `/`, its assets, and the API reference at `/docs`. */
import type { Router } from "express";

/** Adds the page's routes. */
export function pageRoutes(_router: Router): void {
  // Part of the page.
}
