/** Ends the container engine that the tests started; one that was there before stays. */
import { ENGINE_SERVICE } from "../../local/phases/engine";
import { placesOf } from "../../local/places";
import { stopService } from "../../local/services";
import { ENGINE_STARTED } from "./machine-setup";

const STOP_MS = 30_000;

export default async function leaveMachine(): Promise<void> {
  if (process.env[ENGINE_STARTED]) {
    await stopService(placesOf(), ENGINE_SERVICE, STOP_MS);
  }
}
