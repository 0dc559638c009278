/** Which route a request takes: a whole path before one with variables, `{name+}` after these, `$default` last. */

/** A route that was found, and what its path's variables stand for. */
export interface Match<T> {
  readonly route: T;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the route of a request; undefined when there is none. */
export function matchRoute<T extends { readonly key: string }>(
  routes: readonly T[],
  method: string,
  path: string,
): Match<T> | undefined {
  const found = routes
    .map((route) => ({ route, ...match(route.key, method, path) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => ((a.rank ?? "") < (b.rank ?? "") ? -1 : 1));
  const [first] = found;
  return first && { route: first.route, parameters: first.parameters ?? {} };
}

/** How well a route's key fits: the text that sorts first fits best. */
function match(
  key: string,
  method: string,
  path: string,
): { readonly rank?: string; readonly parameters?: Record<string, string> } {
  if (key === "$default") {
    return { rank: "~" };
  }
  const [keyMethod = "", keyPath = ""] = key.split(" ");
  if (keyMethod !== method && keyMethod !== "ANY") {
    return {};
  }
  const parameters: Record<string, string> = {};
  const segments = path.split("/").slice(1);
  const wanted = keyPath.split("/").slice(1);
  let rank = "";
  for (const [index, segment] of wanted.entries()) {
    const [, name, greedy] = /^\{([^+}]+)(\+?)\}$/.exec(segment) ?? [];
    const came = greedy ? segments.slice(index).join("/") : segments[index];
    if (came === undefined || (name ? came === "" : came !== segment)) {
      return {};
    }
    if (name) {
      parameters[name] = decodeURIComponent(came);
    }
    rank += name ? (greedy ? "2" : "1") : "0";
    if (greedy) {
      return { rank: `${rank}${keyMethod === "ANY" ? "b" : "a"}`, parameters };
    }
  }
  return segments.length === wanted.length ? { rank: `${rank}${keyMethod === "ANY" ? "b" : "a"}`, parameters } : {};
}
