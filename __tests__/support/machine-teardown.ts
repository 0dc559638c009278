/** Ends the container engine that the tests started; one that was there before stays. */
import { stopEngine } from "../../local/phases/engine";
import { placesOf } from "../../local/places";
import { ENGINE_STARTED } from "./machine-setup";

export default async function leaveMachine(): Promise<void> {
  if (process.env[ENGINE_STARTED]) {
    await stopEngine(placesOf(), process.env);
  }
}
