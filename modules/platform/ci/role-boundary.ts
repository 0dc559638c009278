/** Puts the boundary on every role that a stack makes, so that the deploy role may make it. */
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import type { IAspect } from "cdktf";
import type { IConstruct } from "constructs";

/** Belongs on a stack: an aspect on the App is never run by CDKTF 0.21. */
export class RoleBoundary implements IAspect {
  /** @param boundaryArn the policy that no role may exceed */
  constructor(private readonly boundaryArn: string) {}

  visit(node: IConstruct): void {
    if (node instanceof IamRole) {
      node.permissionsBoundary = this.boundaryArn;
    }
  }
}
