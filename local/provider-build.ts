/** Building providers from source, through the Go module proxy, for machines that cannot reach the Terraform registry. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../commands/support/shell";
import { type Provider, providerFolder } from "./providers";

const DOWNLOAD_MS = 30 * 60_000;
const BUILD_MS = 3 * 60 * 60_000;
const REMEDY = "It needs Go >= 1.24 and its module proxy (GOPROXY). What is compiled already is kept for the next try.";

/** How providers are built. */
export interface BuildOptions {
  readonly go: string;
  readonly env: NodeJS.ProcessEnv;
  readonly platform: string;
  readonly log: string;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/**
 * Builds each provider that the mirror lacks.
 *
 * @param mirror folder of the mirror, in Terraform's unpacked layout
 * @throws Problem when a build fails
 */
export async function buildProviders(
  mirror: string,
  providers: readonly Provider[],
  options: BuildOptions,
): Promise<void> {
  for (const provider of providers) {
    const folder = join(providerFolder(mirror, provider.name), provider.version, options.platform);
    const program = join(folder, `terraform-provider-${provider.name}_v${provider.version}`);
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      await build(provider, join(mirror, `build-${provider.name}`), program, options);
    }
  }
}

async function build(provider: Provider, work: string, program: string, options: BuildOptions): Promise<void> {
  const { env, go, log, say, signal } = options;
  const { buildMinutes, module, moduleVersion, name } = provider;
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "go.mod"), `module provider-build\n\ngo 1.24\n\nrequire ${module} ${moduleVersion}\n`);
  const how = { cwd: work, env: { ...env, GOFLAGS: "-mod=mod -trimpath" }, log, signal, remedy: REMEDY };
  try {
    say(`${name}: fetching its modules`);
    const packages = (await shell(go, ["list", "-deps", module], { ...how, timeoutMs: DOWNLOAD_MS })).split(
      "\n",
    ).length;
    let compiled = 0;
    const onLine = () => {
      compiled++;
      const percent = Math.min(99, Math.floor((100 * compiled) / packages));
      say(`${name}: ${percent} % of ${packages} packages (about ${buildMinutes} minutes in all on two cores)`);
    };
    const args = ["build", "-v", "-ldflags", "-s -w", "-o", `${program}.part`, module];
    await shell(go, args, { ...how, timeoutMs: BUILD_MS, onLine });
    chmodSync(`${program}.part`, 0o755);
    renameSync(`${program}.part`, program);
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(`${program}.part`, { force: true });
  }
}
