#!/usr/bin/env node
/** The command `nanogrid`: src/main.ts, run from source. */

import { createRequire } from "node:module";
import { register } from "tsx/cjs/api";

register();
createRequire(import.meta.url)("./src/main.ts");
