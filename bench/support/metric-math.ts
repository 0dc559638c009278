/** CloudWatch's metric math, as far as scaling policies use it: numbers, ids, + - * /, comparisons, FILL and IF. */

/** A value of one instant; undefined where there is no data. */
export type Value = number | undefined;

type Expression = (values: ReadonlyMap<string, Value>) => Value;

const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z_]\w*|<=|>=|==|!=|[-+*/()<>,])/y;
/** Operators that bind alike, the loosest first. */
const LEVELS: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  {
    "<": (a, b) => Number(a < b),
    ">": (a, b) => Number(a > b),
    "<=": (a, b) => Number(a <= b),
    ">=": (a, b) => Number(a >= b),
    "==": (a, b) => Number(a === b),
    "!=": (a, b) => Number(a !== b),
  },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b, "/": (a, b) => a / b },
];

/**
 * @param text an expression such as `FILL(visible, 0) / IF(workers > 0, workers, 1)`
 * @returns what gives its value for the values of its ids
 * @throws Error naming what it does not know
 */
export function metricMath(text: string): Expression {
  const parser = new Parser(text);
  const expression = parser.level(0);
  parser.expectEnd();
  return expression;
}

class Parser {
  private readonly tokens: string[] = [];
  private at = 0;

  constructor(private readonly text: string) {
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const start = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (!match) {
        throw new Error(`metric math: ${JSON.stringify(text.slice(start))} is not known, in ${JSON.stringify(text)}`);
      }
      this.tokens.push(match[1] ?? "");
    }
  }

  level(index: number): Expression {
    const operators = LEVELS[index];
    if (!operators) {
      return this.operand();
    }
    let left = this.level(index + 1);
    for (let operator = operators[this.next()]; operator; operator = operators[this.next()]) {
      this.at++;
      left = both(left, this.level(index + 1), operator);
    }
    return left;
  }

  expectEnd(): void {
    if (this.at < this.tokens.length) {
      throw new Error(`metric math: ${JSON.stringify(this.next())} is not expected, in ${JSON.stringify(this.text)}`);
    }
  }

  private operand(): Expression {
    const token = this.next();
    this.at++;
    if (/^\d/.test(token)) {
      const number = Number(token);
      return () => number;
    }
    if (token === "(") {
      const inner = this.level(0);
      this.take(")");
      return inner;
    }
    if (!/^\w/.test(token)) {
      throw new Error(`metric math: a value is expected at ${JSON.stringify(token)}, in ${JSON.stringify(this.text)}`);
    }
    return this.next() === "(" ? this.call(token) : (values) => values.get(token);
  }

  private call(name: string): Expression {
    const args: Expression[] = [];
    do {
      this.at++;
      args.push(this.level(0));
    } while (this.next() === ",");
    this.take(")");
    const [first, second, third] = args;
    if (name === "FILL" && first && second && args.length === 2) {
      return (values) => first(values) ?? second(values);
    }
    if (name === "IF" && first && second && third && args.length === 3) {
      return (values) => {
        const condition = first(values);
        return condition === undefined ? undefined : (condition !== 0 ? second : third)(values);
      };
    }
    throw new Error(`metric math: ${name} with ${args.length} arguments is not known, in ${JSON.stringify(this.text)}`);
  }

  private next(): string {
    return this.tokens[this.at] ?? "";
  }

  private take(token: string): void {
    if (this.next() !== token) {
      throw new Error(`metric math: ${JSON.stringify(token)} is expected, in ${JSON.stringify(this.text)}`);
    }
    this.at++;
  }
}

function both(left: Expression, right: Expression, operator: (a: number, b: number) => number): Expression {
  return (values) => {
    const [a, b] = [left(values), right(values)];
    return a === undefined || b === undefined ? undefined : operator(a, b);
  };
}
