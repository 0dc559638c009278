/** What is asked of the service, as fields. */
import type { Order } from "./api";

const BITS = [8, 12, 14, 16] as const;

export interface OrderFieldsProps {
  readonly order: Order;
  readonly onChange: (order: Order) => void;
}

export function OrderFields({ order, onChange }: OrderFieldsProps) {
  return (
    <>
      <fieldset>
        <legend>Model</legend>
        {(["efficient", "powerful"] as const).map((model) => (
          <label key={model} class="check">
            <input
              type="radio"
              name="model"
              value={model}
              checked={order.model === model}
              onChange={() => onChange({ ...order, model })}
            />
            {model === "efficient" ? "efficient, for volume" : "powerful, for quality"}
          </label>
        ))}
      </fieldset>
      <label>
        Strength: {order.strength}
        <input
          type="range"
          min={0}
          max={20}
          step={0.5}
          value={order.strength}
          aria-describedby="strength-help"
          onInput={({ currentTarget }) => onChange({ ...order, strength: Number(currentTarget.value) })}
        />
        <span class="quiet" id="strength-help">
          0 changes nothing, 10 is what the model gives, 20 is smoother still.
        </span>
      </label>
      <details>
        <summary>Detector</summary>
        <label>
          Digital offset: what it counts without any signal
          <input
            type="number"
            min={0}
            max={65_534}
            value={order.digital_offset}
            onInput={({ currentTarget }) => onChange({ ...order, digital_offset: Number(currentTarget.value) })}
          />
        </label>
        <label>
          Bits that it fills
          <select
            value={order.using_bits ?? ""}
            onChange={({ currentTarget: { value } }) => {
              const { using_bits: _, ...rest } = order;
              onChange(value === "" ? rest : { ...rest, using_bits: Number(value) });
            }}
          >
            <option value="">all that the file has</option>
            {BITS.map((bits) => (
              <option key={bits} value={bits}>
                {bits}
              </option>
            ))}
          </select>
        </label>
      </details>
    </>
  );
}
