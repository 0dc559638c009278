"""`python -m ml_training`: trains the model and writes its files; `--check` compares it with the committed one."""

import argparse
import sys
from pathlib import Path

from ml_training.files import CARD_FILE, MODEL_FILE, make

_FOLDER = Path(__file__).resolve().parent.parent
_MODEL = _FOLDER / "model"
_EXAMPLE = _FOLDER.parent.parent / "examples" / "wine.csv"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m ml_training", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the model's file differs")
    arguments = parser.parse_args()
    made = make()
    if arguments.check:
        same = (_MODEL / MODEL_FILE).read_bytes() == made.model
        print(f"{MODEL_FILE} is {'what' if same else 'not what'} the training gives: version {made.card['version']}")
        return 0 if same else 1
    made.write(_MODEL, _EXAMPLE)
    held_out, folds = made.card["heldOut"], made.card["crossValidation"]
    print(f"{_MODEL / MODEL_FILE}: {len(made.model)} bytes, version {made.card['version']}; {CARD_FILE} beside it")
    print(f"held out, {held_out['rows']} rows: accuracy {held_out['accuracy']}, log loss {held_out['logLoss']}")
    print(f"cross-validation: accuracy {folds['accuracyMean']} ± {folds['accuracyStandardDeviation']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
