/** Virtual time of GPUs, and quantities, as the simulation of placements counts with them. */
import { GpuTime } from "../../bench/support/gpu-time";
import { quantityOf } from "../../bench/support/quantity";

const LARGE = { name: "large", gib: 48 };

test("work that is alone takes its own time, on each GPU", () => {
  const time = new GpuTime([LARGE, { name: "other", gib: 16 }], "time-sliced");
  time.start("large", { id: "a", seconds: 20, gib: 30 });
  time.start("other", { id: "b", seconds: 30, gib: 10 });
  expect([time.finish(), time.now]).toEqual([["a"], 20]);
  expect([time.finish(), time.now]).toEqual([["b"], 30]);
  expect(time.finish()).toEqual([]);
});

test("work that shares a GPU by time slices takes as long as all of it one after the other", () => {
  const time = new GpuTime([LARGE], "time-sliced");
  time.start("large", { id: "a", seconds: 20, gib: 30 });
  time.start("large", { id: "b", seconds: 10, gib: 10 });
  expect([time.finish(), time.now]).toEqual([["b"], 20]);
  expect([time.finish(), time.now]).toEqual([["a"], 30]);
  expect(time.spans).toEqual([
    { id: "b", gpu: "large", from: 0, to: 20 },
    { id: "a", gpu: "large", from: 0, to: 30 },
  ]);
});

test("unhindered work that shares a GPU takes its own time", () => {
  const time = new GpuTime([LARGE], "unhindered");
  time.start("large", { id: "a", seconds: 20, gib: 30 });
  time.start("large", { id: "b", seconds: 10, gib: 10 });
  expect([time.finish(), time.now]).toEqual([["b"], 10]);
  expect([time.finish(), time.now]).toEqual([["a"], 20]);
});

test("a GPU is held until its last work is done, and only then", () => {
  const time = new GpuTime([LARGE, { name: "other", gib: 16 }], "time-sliced");
  time.start("other", { id: "b", seconds: 10, gib: 10 });
  time.start("large", { id: "a", seconds: 20, gib: 30 });
  time.finish();
  time.finish();
  // Nothing for a while, as far as the large one is concerned.
  time.start("other", { id: "c", seconds: 5, gib: 10 });
  time.finish();
  expect(time.uses()).toEqual([
    { name: "large", heldSeconds: 20, busySeconds: 20, gibSeconds: 600 },
    { name: "other", heldSeconds: 25, busySeconds: 15, gibSeconds: 150 },
  ]);
});

test("a model that has no room is refused", () => {
  const time = new GpuTime([LARGE], "time-sliced");
  time.start("large", { id: "a", seconds: 20, gib: 30 });
  expect(() => time.start("large", { id: "b", seconds: 20, gib: 30 })).toThrow(
    "b: 30 GiB do not fit on large beside 30",
  );
  expect(() => time.start("away", { id: "c", seconds: 1, gib: 1 })).toThrow("do not fit on away");
});

test("quantities of Kubernetes are numbers, and what is none is named", () => {
  expect(["3920m", "2", "14900Mi", "10Gi", "1.5"].map(quantityOf)).toEqual([
    3.92,
    2,
    14900 * 1024 ** 2,
    10 * 1024 ** 3,
    1.5,
  ]);
  expect(() => quantityOf("ten")).toThrow('"ten" is no quantity');
  expect(() => quantityOf("10GB")).toThrow('"10GB" is no quantity');
});
