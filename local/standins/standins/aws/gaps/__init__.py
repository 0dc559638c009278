"""What moto lacks, one gap a class."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from standins.aws.gaps.applicationautoscaling import ApplicationAutoScaling
from standins.aws.gaps.autoscaling import AutoScaling
from standins.aws.gaps.cloudwatch import CloudWatch, CloudWatchCbor
from standins.aws.gaps.ec2 import Ec2
from standins.aws.gaps.elasticache import ElastiCache
from standins.aws.gaps.elbv2 import LongestDeregistration
from standins.aws.gaps.lifecycle import TerminationHooks
from standins.aws.gaps.logs import ChangedFilters
from standins.aws.gaps.s3 import ConditionalStatements, DeletedVersions, TagsAtCreation
from standins.aws.gaps.sqs import FairQueues, LongPolls, QueueAddresses, QueueAttributes
from standins.aws.gaps.ssm import VendorImages
from standins.aws.gaps.stepfunctions import StepFunctions
from standins.aws.moto_app import MotoApplication
from standins.options import LOOPBACK, Options


def close_gaps(moto: MotoApplication, options: Options, port: int) -> WSGIApplication:
    """Extends moto in place and returns it behind the layers that translate requests."""
    ApplicationAutoScaling.install()
    AutoScaling.install()
    CloudWatch.install()
    TerminationHooks().install()
    Ec2.install()
    ElastiCache.install(options.redis_host, options.redis_port)
    ChangedFilters().install()
    ConditionalStatements().install()
    DeletedVersions().install()
    TagsAtCreation().install()
    LongestDeregistration().install()
    QueueAddresses(f"http://{LOOPBACK}:{port}").install()
    QueueAttributes().install()
    FairQueues().install()
    LongPolls(moto.idle).install()
    StepFunctions.install()
    VendorImages().install()
    return CloudWatchCbor(moto)
