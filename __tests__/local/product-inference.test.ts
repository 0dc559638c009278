/** The product inference service as tests and local runs start it: on the processor, at a free port, with all-MiniLM-L6-v2. */
import { existsSync } from "node:fs";
import { productInferencePython, startProductInference } from "../../local/product-inference";
import { describeUnless } from "../support/tools";

const python = productInferencePython();
const missing = existsSync(python) ? undefined : `no Python for product inference: ${python} is not there`;

describeUnless(missing)("the product inference service, started from TypeScript", () => {
  test("embeds with its settings, and is gone when it is stopped", async () => {
    const service = await startProductInference({ MAX_TEXTS: "2" });
    const embed = (texts: readonly string[]) =>
      fetch(`${service.url}/embeddings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ texts }),
      });
    try {
      const answer = await embed(["red shoes"]);
      expect([answer.status, ((await answer.json()) as { dimensions: number }).dimensions]).toEqual([200, 384]);
      expect((await embed(["one", "two", "three"])).status).toBe(400);
      expect(service.log()).toContain('"event": "ready"');
    } finally {
      await service.stop();
    }
    await expect(embed(["red shoes"])).rejects.toThrow("fetch failed");
    await service.stop();
  }, 120_000);

  test("a setting that is wrong is told in the service's own words", async () => {
    await expect(startProductInference({ MAX_BATCH: "0" })).rejects.toThrow(
      /INFERENCE_MAX_BATCH: .*It is the texts that run/s,
    );
  }, 60_000);
});
