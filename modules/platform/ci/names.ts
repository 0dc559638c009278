/** Names of what CI works with, known before anything exists: the workflows and every stack's roles need them. */
import type { Settings } from "../settings";

/** Where GitHub's tokens come from. */
export const GITHUB_ISSUER = "token.actions.githubusercontent.com";
/** Id of the stack that lets CI in. */
export const CI_ACCESS = "ci-access";

/** The names of one environment. */
export interface CiNames {
  /** Role of pull requests and of the drift check: it reads. */
  readonly planRole: string;
  /** Role of deployments. */
  readonly deployRole: string;
  /** Policy that bounds every role that a stack makes. */
  readonly boundary: string;
  readonly planRoleArn: string;
  readonly deployRoleArn: string;
  readonly boundaryArn: string;
  readonly providerArn: string;
}

/** @param settings the environment's settings */
export function ciNames({ project, environment, accountId }: Settings): CiNames {
  const base = `${project}-${environment}`;
  const arn = (resource: string) => `arn:aws:iam::${accountId}:${resource}`;
  const [planRole, deployRole, boundary] = [`${base}-ci-plan`, `${base}-ci-deploy`, `${base}-boundary`];
  return {
    planRole,
    deployRole,
    boundary,
    planRoleArn: arn(`role/${planRole}`),
    deployRoleArn: arn(`role/${deployRole}`),
    boundaryArn: arn(`policy/${boundary}`),
    providerArn: arn(`oidc-provider/${GITHUB_ISSUER}`),
  };
}
