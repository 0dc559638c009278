/** The API reference: RapiDoc over this controller's own OpenAPI document. */
import "rapidoc";
import "./docs.css";

const dark = matchMedia("(prefers-color-scheme: dark)");

const settings = {
  "spec-url": "/openapi.json",
  "render-style": "read",
  "load-fonts": "false",
  "regular-font": "system-ui, sans-serif",
  "mono-font": "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  "font-size": "large",
  "show-header": "false",
  "allow-spec-url-load": "false",
  "allow-spec-file-load": "false",
  "allow-server-selection": "false",
  "schema-description-expanded": "true",
  "sort-endpoints-by": "none",
  "show-method-in-nav-bar": "as-colored-text",
  "nav-item-spacing": "compact",
};

const reference = document.createElement("rapi-doc");
for (const [name, value] of Object.entries(settings)) {
  reference.setAttribute(name, value);
}

function followTheme(): void {
  reference.setAttribute("theme", dark.matches ? "dark" : "light");
  reference.setAttribute("bg-color", dark.matches ? "#121615" : "#f7f7f4");
  reference.setAttribute("text-color", dark.matches ? "#e4e8e5" : "#1c2321");
  reference.setAttribute("primary-color", dark.matches ? "#6fd0b0" : "#0a5c4a");
}

followTheme();
dark.addEventListener("change", followTheme);
document.querySelector("#reference")?.append(reference);
