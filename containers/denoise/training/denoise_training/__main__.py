"""`python -m denoise_training <command>`: prepare, train, export, evaluate."""

import argparse
import sys
from pathlib import Path

from .architectures import ARCHITECTURES
from .evaluate import Scores, evaluate_baselines, evaluate_models, missed, time_methods
from .export import export
from .images import prepare
from .photographs import PackageMissing
from .report import render, write
from .training import Options, Trainer

PROJECT = Path(__file__).resolve().parents[4]
CACHE = PROJECT / ".local" / "denoise-training"
MODELS = PROJECT / "containers" / "denoise" / "models"
PAGE = PROJECT / "docs" / "denoise-models.md"


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (PackageMissing, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="denoise_training", description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="folder of packages, images and checkpoints (%(default)s)"
    )
    commands = parser.add_subparsers(required=True)
    commands.add_parser("prepare", help="fetch photographs, make scenes").set_defaults(run=_prepare)

    train = commands.add_parser("train", help="train a model, from its checkpoint on where there is one")
    train.add_argument("model", choices=sorted(ARCHITECTURES))
    length = train.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="the same steps and seed give the same model again")
    length.add_argument("--minutes", type=float, help="as many steps as fit")
    train.add_argument("--seed", type=int, default=Options.seed)
    train.add_argument("--threads", type=int, default=Options.threads)
    train.add_argument("--checkpoint", type=Path, help="default: <cache>/checkpoints/<model>.pt")
    train.add_argument("--float32", action="store_true", help="for a processor without bfloat16")
    train.set_defaults(run=_train)

    write_models = commands.add_parser("export", help="write checkpoints as ONNX files")
    write_models.add_argument("model", choices=sorted(ARCHITECTURES), nargs="+")
    write_models.add_argument("--models", type=Path, default=MODELS)
    write_models.set_defaults(run=_export)

    evaluate = commands.add_parser("evaluate", help="measure the models and others, write the page's tables")
    evaluate.add_argument("--models", type=Path, default=MODELS)
    evaluate.add_argument("--page", type=Path, default=PAGE)
    evaluate.add_argument("--baselines-only", action="store_true", help="measure what needs no model, and keep it")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _prepare(options: argparse.Namespace) -> int:
    prepare(options.cache)
    return 0


def _train(options: argparse.Namespace) -> int:
    trainer = Trainer(
        Options(
            model=options.model,
            cache=options.cache,
            checkpoint=options.checkpoint or _checkpoint(options.cache, options.model),
            steps=options.steps,
            minutes=options.minutes,
            seed=options.seed,
            threads=options.threads,
            bfloat16=not options.float32,
        )
    )
    print(f"{options.model}: {trainer.train():.3f} dB on the validation's patches")
    return 0


def _export(options: argparse.Namespace) -> int:
    for model in options.model:
        print(export(_checkpoint(options.cache, model), options.models))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    table = evaluate_baselines(options.cache, Scores(options.cache / "scores.json"))
    if options.baselines_only:
        return 0
    evaluate_models(options.cache, options.models, table)
    timings = time_methods(options.models)
    content = render(table, timings)
    write(options.page, content)
    print(content)
    return 1 if missed(table, timings) else 0


def _checkpoint(cache: Path, model: str) -> Path:
    return Path(cache) / "checkpoints" / f"{model}.pt"


if __name__ == "__main__":
    sys.exit(main())
