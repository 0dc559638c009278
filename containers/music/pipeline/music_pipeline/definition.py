"""The pipeline in the SDK's terms. `python -m music_pipeline.definition` compiles it into music.yaml."""

import sys
from dataclasses import dataclass
from pathlib import Path

from kfp import compiler, dsl
from kfp.dsl.pipeline_task import PipelineTask

COMPILED = Path(__file__).with_name("music.yaml")
"""The committed result; a test holds it to this file."""
IMAGE = "music-pipeline-python"
"""Image of the steps, without registry and tag: the back replaces it by MUSIC_PIPELINE_IMAGE when it starts a run."""
GPU_QUOTA = 4
"""GPUs that the namespace's quota has for the second stage: as many candidates are made side by side."""


@dataclass(frozen=True)
class Retries:
    """How often Kubeflow Pipelines starts a step's pod again, such as after its node was lost.

    Waiting for a stage is the step's own matter (steps.py): these are for steps that died.
    """

    times: int
    first_wait_s: int
    longest_wait_s: int

    def apply(self, task: PipelineTask) -> PipelineTask:
        """Set them on a task, and that no earlier run's result is taken for it."""
        return task.set_retry(
            num_retries=self.times,
            backoff_duration=f"{self.first_wait_s}s",
            backoff_factor=2.0,
            backoff_max_duration=f"{self.longest_wait_s}s",
        ).set_caching_options(False)


ASKING = Retries(times=2, first_wait_s=2, longest_wait_s=60)
"""For steps that ask a stage."""
COLLECTING = Retries(times=1, first_wait_s=2, longest_wait_s=10)
"""For the last step, which asks no one."""


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def transcribe(first_stage: str, run: str) -> str:
    """Speech to words."""
    from music_pipeline import steps

    return steps.transcribe(first_stage, run)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def classify(first_stage: str, run: str) -> str:
    """Words to a mood."""
    from music_pipeline import steps

    return steps.classify(first_stage, run)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def generate(second_stage: str, run: str, index: int) -> str:
    """A mood to one candidate."""
    from music_pipeline import steps

    return steps.generate(second_stage, run, index)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def collect(run: str, candidates: list[str]) -> str:
    """Candidates to the run's result; fails where there is none."""
    from music_pipeline import steps

    return steps.collect(run, candidates)


@dsl.pipeline(
    name="music", description="A recording becomes words, words a mood, and the mood several candidates of music."
)
def music(run: str, indices: list[int], first_stage: str, second_stage: str) -> str:
    """Run all stages.

    Args:
        run: `<user>/<run>`, which names its folder on the volume.
        indices: of the candidates: 0 to N - 1.
        first_stage: URL of the first stage.
        second_stage: URL of the second stage.

    Returns:
        The candidates, as JSON.
    """
    heard = ASKING.apply(transcribe(first_stage=first_stage, run=run))
    felt = ASKING.apply(classify(first_stage=first_stage, run=run)).after(heard)
    with dsl.ParallelFor(indices, parallelism=GPU_QUOTA) as index:
        made = ASKING.apply(generate(second_stage=second_stage, run=run, index=index)).after(felt)
    collected = COLLECTING.apply(collect(run=run, candidates=dsl.Collected(made.output)))
    return collected.output  # type: ignore[no-any-return]


def compile_to(file: Path) -> None:
    """Write the pipeline as Kubeflow Pipelines takes it."""
    compiler.Compiler().compile(music, str(file))


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]) if len(sys.argv) > 1 else COMPILED)
