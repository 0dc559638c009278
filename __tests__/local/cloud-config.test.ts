import { gzipSync } from "node:zlib";
import { filesOf, parseEnvironment } from "../../local/cloud-config";
import { renderEnvironment, templateOf } from "../../local/without-terraform";
import { PROJECT } from "./scratch";

const DOCUMENT = `#cloud-config
packages: [docker]
write_files:
  - path: /etc/nanogrid/worker.env
    permissions: "0600"
    content: |
      # which cloud
      AWS_REGION=ap-northeast-2
      EMPTY=
      QUEUE_URL=https://sqs.example/1/q?a=b
      QUOTED="two words"
  - path: /etc/packed
    encoding: gz+b64
    content: ${gzipSync("packed").toString("base64")}
runcmd:
  - [true]
`;

test.each([
  ["gzipped", gzipSync(DOCUMENT)],
  ["plain", Buffer.from(DOCUMENT)],
])("local: the environment of a worker is read from %s user data as the instance would read it", (_, bytes) => {
  const files = filesOf(bytes.toString("base64"));

  expect(files.get("/etc/packed")).toBe("packed");
  expect(parseEnvironment(files.get("/etc/nanogrid/worker.env") ?? "")).toEqual({
    AWS_REGION: "ap-northeast-2",
    EMPTY: "",
    QUEUE_URL: "https://sqs.example/1/q?a=b",
    QUOTED: "two words",
  });
});

test("local: user data that is no cloud-config is refused with its beginning", () => {
  const script = Buffer.from("#!/bin/bash\necho hello\n").toString("base64");
  expect(() => filesOf(script)).toThrow('user data is no cloud-config: it begins with "#!/bin/bash');
});

test("local: a line of an environment file that is no variable is named", () => {
  expect(() => parseEnvironment("A=1\nexport B=2\n")).toThrow('"export B=2" is no line of an environment file');
});

test.each([
  ["controller", "/etc/nanogrid/controller.env", { PORT: "8080", REDIS_TLS: "false" }],
  ["worker", "/etc/nanogrid/worker.env", { SQS_QUEUE_URL: "http://queue", REDIS_PORT: "6380" }],
] as const)(
  "local: without Terraform the %s gets the variables of its own cloud-init template",
  (program, file, expected) => {
    const variables = { port: "8080", redis_tls: "false", queue_url: "http://queue", redis_port: "6380" };
    expect(renderEnvironment(templateOf(PROJECT, program), file, variables)).toMatchObject(expected);
  },
);
