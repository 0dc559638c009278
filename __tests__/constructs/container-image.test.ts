/** What an image's construct emits; container-image-build.test.ts of the deployment tests builds one. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ContainerImage, type ContainerImageProps } from "../../constructs/container-image";
import { constructed } from "../support/constructed";
import { runFolder } from "../support/synth";

const context = join(runFolder(), "image-context");
mkdirSync(context, { recursive: true });
writeFileSync(join(context, "Dockerfile"), "FROM scratch\n");

function image(props: Partial<ContainerImageProps> = {}) {
  return constructed((scope) => {
    new ContainerImage(scope, "image", {
      environment: "dev",
      repository: "acme/denoise",
      repositoryUrl: "registry.example/acme/denoise",
      tag: "0123456789abcdef",
      context,
      dockerfile: "Dockerfile",
      ...props,
    });
  });
}

describe("ContainerImage", () => {
  const { triggers_replace, provisioner, input } = image().resource("terraform_data");

  test("is made anew when its tag changes, and with nothing else", () => {
    expect(triggers_replace).toEqual({ uri: "registry.example/acme/denoise:0123456789abcdef" });
    expect(input).toEqual(triggers_replace);
    expect(image({ tag: "fedcba9876543210" }).resource("terraform_data").triggers_replace).not.toEqual(
      triggers_replace,
    );
  });

  test("is built by the project's own command, by no absolute path and with no credentials", () => {
    expect(provisioner).toEqual([
      {
        "local-exec": {
          command: expect.stringMatching(
            /^npm --prefix \.\.\/\.\.\/\.\. run --silent publish-image -- --environment dev --repository acme\/denoise --tag 0123456789abcdef --context assets\/\S+\/[0-9A-F]{32}\/ --dockerfile Dockerfile$/,
          ),
        },
      },
    ]);
  });

  test.each(["a file", "$(touch /tmp/x)", "a;b", "`id`", "a'b"])(
    "a name that a shell would take apart is refused: %s",
    (dockerfile) => {
      expect(() => image({ dockerfile })).toThrow(
        `ContainerImage: dockerfile "${dockerfile}" is no plain word. Use letters, digits and any of _ . / - only.`,
      );
    },
  );
});
