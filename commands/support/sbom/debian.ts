/** Debian packages from dpkg's status file, as components of a bill of materials. */
import type { BomComponent } from "./boms";

/**
 * The installed packages.
 *
 * @param status the text of `/var/lib/dpkg/status`
 */
export function debianComponents(status: string): BomComponent[] {
  return status
    .split(/\n{2,}/)
    .map(fieldsOf)
    .filter((fields) => fields.get("Status") === "install ok installed")
    .map((fields) => {
      const [name, version, architecture] = ["Package", "Version", "Architecture"].map(
        (field) => fields.get(field) ?? "",
      );
      return {
        type: "library",
        name: name ?? "",
        version: version ?? "",
        purl: `pkg:deb/debian/${encodeURIComponent(name ?? "")}@${encodeURIComponent(version ?? "")}?arch=${architecture}`,
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Fields of one package; the lines that go on with a field begin with a space and are not needed. */
function fieldsOf(paragraph: string): Map<string, string> {
  return new Map(
    paragraph.split("\n").flatMap((line) => {
      const [, name = "", value = ""] = /^([A-Za-z-]+): (.*)$/.exec(line) ?? [];
      return name === "" ? [] : [[name, value] as const];
    }),
  );
}
