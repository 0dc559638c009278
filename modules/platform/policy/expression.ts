/**
 * Reads the objects in expressions that CDKTF renders, such as `${jsonencode({"Version" = "2012-10-17"})}`. Synth is synchronous and
 * HashiCorp's parser is not, and what CDKTF renders is a small part of the language: objects, lists, literals, and references, which stay
 * `${…}`.
 */
import type { Json } from "./json";

const JSON_ENCODED = /^\$\{jsonencode\((.*)\)\}$/s;
const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const LITERALS: Readonly<Record<string, Json>> = { true: true, false: false, null: null };
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** The value of `${jsonencode(…)}` or of a JSON text; undefined for anything else. */
export function jsonOf(text: string): Json | undefined {
  const [, encoded] = JSON_ENCODED.exec(text) ?? [];
  try {
    return encoded === undefined ? (JSON.parse(text) as Json) : new Reader(encoded).whole();
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  /** @throws SyntaxError when something follows the value, or it is none */
  whole(): Json {
    const value = this.value();
    this.space();
    if (this.at < this.text.length) {
      throw new SyntaxError(`unexpected "${this.text.slice(this.at, this.at + 20)}"`);
    }
    return value;
  }

  private value(): Json {
    this.space();
    switch (this.text[this.at]) {
      case "{":
        return this.object();
      case "[":
        return this.list();
      case '"':
        return this.string();
      default:
        return this.bare();
    }
  }

  private object(): Json {
    const entries: [string, Json][] = [];
    this.expect("{");
    while (!this.takes("}")) {
      this.space();
      const key = this.text[this.at] === '"' ? this.string() : this.match(/[\w-]+/y);
      if (!this.takes("=") && !this.takes(":")) {
        throw new SyntaxError(`no value for ${key}`);
      }
      entries.push([key, this.value()]);
      this.takes(",");
    }
    return Object.fromEntries(entries);
  }

  private list(): Json {
    const values: Json[] = [];
    this.expect("[");
    while (!this.takes("]")) {
      values.push(this.value());
      this.takes(",");
    }
    return values;
  }

  private string(): string {
    let value = "";
    this.expect('"');
    while (this.text[this.at] !== '"') {
      if (this.text.startsWith("${", this.at)) {
        value += this.enclosed(this.at + 1);
      } else if (this.text[this.at] === "\\") {
        const escaped = this.text[this.at + 1] ?? "";
        value += ESCAPES[escaped] ?? escaped;
        this.at += 2;
      } else if (this.at < this.text.length) {
        value += this.text[this.at++];
      } else {
        throw new SyntaxError("a string without an end");
      }
    }
    this.at++;
    return value;
  }

  /** A number, a word, or an expression, which becomes `${…}`. */
  private bare(): Json {
    const start = this.at;
    while (this.at < this.text.length && !/[,\]}\n]/.test(this.text[this.at] ?? "")) {
      if (this.text[this.at] === '"') {
        this.string();
      } else if ((this.text[this.at] ?? "") in CLOSING) {
        this.enclosed(this.at);
      } else {
        this.at++;
      }
    }
    const text = this.text.slice(start, this.at).trim();
    if (text === "") {
      throw new SyntaxError("a value is missing");
    }
    const literal = LITERALS[text];
    return literal !== undefined ? literal : /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : `\${${text}}`;
  }

  /** What is between the bracket at `open` and the one that closes it, from where reading stands and both included. */
  private enclosed(open: number): string {
    const start = this.at;
    const closing: string[] = [];
    this.at = open;
    do {
      const char = this.text[this.at] ?? "";
      if (char === "") {
        throw new SyntaxError("a bracket without its other half");
      }
      if (char === '"') {
        this.string();
        continue;
      }
      const closes = CLOSING[char];
      if (closes !== undefined) {
        closing.push(closes);
      } else if (char === closing.at(-1)) {
        closing.pop();
      }
      this.at++;
    } while (closing.length > 0);
    return this.text.slice(start, this.at);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    if (found === undefined) {
      throw new SyntaxError(`unexpected "${this.text.slice(this.at, this.at + 20)}"`);
    }
    this.at += found.length;
    return found;
  }

  private expect(char: string): void {
    if (!this.takes(char)) {
      throw new SyntaxError(`expected ${char}, got "${this.text.slice(this.at, this.at + 20)}"`);
    }
  }

  private takes(char: string): boolean {
    this.space();
    if (this.text[this.at] !== char) {
      return false;
    }
    this.at++;
    return true;
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? "")) {
      this.at++;
    }
  }
}
