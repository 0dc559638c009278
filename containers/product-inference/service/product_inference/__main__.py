"""`python -m product_inference`: reads the settings, loads the model, and serves until SIGTERM."""

import signal
import sys
from types import FrameType

import uvicorn

from product_inference.api import Service, make_api
from product_inference.attributes import Describer, read_taxonomy
from product_inference.log import logger, set_up_log
from product_inference.manifest import BadModel
from product_inference.model import EmbeddingModel
from product_inference.settings import BadSettings, read_settings

KEEP_ALIVE_S = 75
"""Longer than the load balancer's 60 s, so that it is never the service that closes a connection in use."""

log = logger("product_inference")


class _Server(uvicorn.Server):
    """A server that says that it is leaving before it stops listening."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the signal that ends the process."""
        self._service.leaving = True
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve."""
    try:
        settings = read_settings()
        set_up_log(settings.log_level)
        model = EmbeddingModel(settings.model_dir, settings.provider, settings.threads)
    except (BadSettings, BadModel) as error:
        sys.stderr.write(f"product-inference cannot start:\n{error}\n")
        return 1
    service = Service(settings, model, Describer(model, read_taxonomy()))
    config = uvicorn.Config(
        make_api(service),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    log.info("ready", model=model.manifest.name, provider=settings.provider, port=settings.port)
    # uvicorn gives the signal back once it has drained: it is no error then.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)
    _Server(config, service).run()
    service.close()
    log.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
