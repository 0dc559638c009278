/** Terraform's providers: where they come from in this run. */
import { which } from "../../commands/support/shell";
import type { Needs, Outcome, Report } from "../phase";
import { logOf } from "../places";
import { buildProviders } from "../provider-build";
import { chooseProviders, PROVIDERS, type ProviderChoice, registryAnswers, terraformPlatform } from "../providers";
import { TERRAFORM_PAGE } from "../terraform-download";

/** Chooses the providers' source; where there is none, says loudly that Terraform is left out and how to get it. */
export async function findProviders(needs: Needs<"tools">, report: Report): Promise<Outcome<ProviderChoice>> {
  const choice = await choose(needs, report);
  if (choice.kind === "none") {
    report.warn(
      `TERRAFORM IS LEFT OUT: ${choice.reason}. The data stack's queue, buckets and tables were made in the stand-in from the ` +
        `synthesized JSON instead, and no other stack exists. ${howToGet(needs)}`,
    );
    return { value: choice, summary: `none: ${choice.reason}` };
  }
  return { value: choice, summary: choice.from };
}

async function choose(
  { env, options, places, signal, tools }: Needs<"tools">,
  report: Report,
): Promise<ProviderChoice> {
  if (!options.terraform) {
    return { kind: "none", reason: "--without-terraform was given" };
  }
  if (tools.terraform === undefined) {
    return { kind: "none", reason: "the terraform program is missing" };
  }
  const platform = terraformPlatform();
  const go = which("go", env);
  const build = async (mirror: string) => {
    const how = {
      go: go ?? "go",
      env,
      platform,
      log: logOf(places, "providers"),
      signal,
      say: (text: string) => report.say(text),
    };
    await buildProviders(mirror, PROVIDERS, how);
  };
  return await chooseProviders({
    env,
    platform,
    providers: PROVIDERS,
    registryAnswers,
    build: options.buildProviders ? build : undefined,
    warn: (text) => report.warn(text),
  });
}

function howToGet({ env, options, tools }: Needs<"tools">): string {
  if (!options.terraform) {
    return "Start without the flag to deploy with Terraform.";
  }
  if (tools.terraform === undefined) {
    return `Install Terraform (${TERRAFORM_PAGE}) and start again.`;
  }
  const minutes = PROVIDERS.reduce((sum, provider) => sum + provider.buildMinutes, 0);
  const go = which("go", env) === undefined ? "install Go (https://go.dev/dl/) and run" : "run";
  return (
    "To deploy with Terraform: let this machine reach registry.terraform.io, or set TF_CLI_CONFIG_FILE to a configuration with a " +
    `mirror, or ${go} npm start -- --build-providers (once, about ${minutes} minutes on two cores).`
  );
}
