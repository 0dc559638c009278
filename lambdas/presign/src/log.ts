/** The function's log. A URL never enters it: who has it, has what it opens. */
import { createLog } from "../../shared/log";

/** Writes one line. */
export const logLine = createLog("presign");
