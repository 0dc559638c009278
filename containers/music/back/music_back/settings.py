"""What the back is told."""

from pathlib import Path

from pydantic import Field, SecretStr

from music_common.settings import ServiceSettings, Url


class Settings(ServiceSettings):
    """The back's settings, each an environment variable of the same name in capitals."""

    music_port: int = Field(8000, ge=1, le=65535, description="port of the service")
    music_session_key: SecretStr = Field(
        min_length=32,
        json_schema_extra={"secret": True},
        description="key that the front signs users with: 32 random bytes or more, the same in both",
    )
    music_kubeflow: Url = Field("http://ml-pipeline.kubeflow:8888", description="URL of Kubeflow Pipelines' API")
    music_pipeline_image: str = Field(
        "music-pipeline-python", pattern=r"^[^\s]+$", description="image of the pipeline's steps, with registry and tag"
    )
    music_pipeline_file: Path = Field(
        Path("/opt/music/program/music_pipeline/music.yaml"), description="compiled pipeline"
    )
    music_first_stage: Url = Field("http://first-stage:8001", description="URL of the first stage, as the steps see it")
    music_second_stage: Url = Field(
        "http://second-stage:8002", description="URL of the second stage, as the steps see it"
    )
    music_max_upload_bytes: int = Field(50 * 1024**2, ge=1024, description="bytes that a recording may have")
    music_max_recording_seconds: float = Field(180, ge=1, le=3600, description="seconds that a recording may last")
    music_upload_idle_seconds: float = Field(20, gt=0, le=300, description="seconds without a byte that end an upload")
    music_gpu_quota: int = Field(4, ge=1, le=64, description="most candidates of a run: the namespace's quota of GPUs")
    music_max_candidate_seconds: float = Field(30, ge=4, le=120, description="most seconds of a candidate")
    music_queue: int = Field(32, ge=1, le=1000, description="runs that may wait or run, of all users")
    music_user_queue: int = Field(4, ge=1, le=1000, description="runs of one user that may wait or run")
    music_user_runs: int = Field(50, ge=1, le=1000, description="runs that are kept for one user")
    music_pipelines: int = Field(2, ge=1, le=64, description="pipelines that run at once")
    music_run_seconds: float = Field(7200, gt=0, description="seconds after which a run that has not ended is given up")
    music_submit_seconds: float = Field(600, gt=0, description="seconds for which a run waits for Kubeflow Pipelines")
    music_poll_seconds: float = Field(2, gt=0, le=60, description="seconds between two looks at what runs")
    music_keep_days: float = Field(7, gt=0, le=365, description="days that runs are kept")
