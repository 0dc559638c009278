/** Sums up orders by a column: figures as the answer, and a page to look at or send on in /output. */
import { writeFile } from "node:fs/promises";

const MAX_ROWS = 100_000;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Takes `{ title, by, of, rows }`: the column to group by, the column of numbers, and the rows as objects. */
export async function handler({ title = "Report", by, of, rows } = {}) {
  check(by, of, rows);
  const groups = summarise(rows, by, of);
  const total = rows.reduce((sum, row) => sum + row[of], 0);
  console.log(`${rows.length} rows in ${groups.length} groups`);
  await writeFile("/output/report.html", page(title, by, groups, total));
  return { rows: rows.length, total: rounded(total), groups };
}

function check(by, of, rows) {
  if (typeof by !== "string" || typeof of !== "string") {
    throw new TypeError("by, of: expected names of columns");
  }
  if (!Array.isArray(rows) || rows.length === 0 || rows.length > MAX_ROWS) {
    throw new TypeError(`rows: expected a list of 1 to ${MAX_ROWS} objects`);
  }
  const wrong = rows.findIndex((row) => !Number.isFinite(row?.[of]) || row[by] === undefined);
  if (wrong !== -1) {
    throw new TypeError(`rows[${wrong}]: expected a number in ${of} and a value in ${by}`);
  }
}

/** Count, sum, mean and median of each group, the largest sum first. */
function summarise(rows, by, of) {
  const groups = Map.groupBy(rows, (row) => String(row[by]));
  return [...groups]
    .map(([name, members]) => {
      const values = members.map((row) => row[of]).sort((a, b) => a - b);
      const sum = values.reduce((total, value) => total + value, 0);
      const median = (values[Math.floor((values.length - 1) / 2)] + values[Math.floor(values.length / 2)]) / 2;
      return { name, count: values.length, sum: rounded(sum), mean: rounded(sum / values.length), median };
    })
    .sort((a, b) => b.sum - a.sum);
}

function page(title, by, groups, total) {
  const line = ({ name, count, sum, mean, median }) =>
    `<tr><th scope="row">${escaped(name)}</th>${[count, sum, mean, median].map((n) => `<td>${n}</td>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>body { font: 1rem/1.5 system-ui; margin: 2rem } td, th { padding: .25rem 1rem; text-align: right }</style>
<h1>${escaped(title)}</h1>
<table>
<tr><th scope="col">${escaped(by)}</th><th scope="col">count</th><th scope="col">sum</th><th scope="col">mean</th><th scope="col">median</th></tr>
${groups.map(line).join("\n")}
</table>
<p>Total: ${rounded(total)}</p>
</html>
`;
}

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

function rounded(number) {
  return Math.round(number * 100) / 100;
}
