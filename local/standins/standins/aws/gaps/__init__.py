"""What moto lacks, one gap a class."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from standins.aws.authorization import Authorization
from standins.aws.bedrock import Bedrock, Controlled
from standins.aws.cors import Cors
from standins.aws.gaps.applicationautoscaling import ApplicationAutoScaling
from standins.aws.gaps.autoscaling import AutoScaling
from standins.aws.gaps.awslambda import EventSources, FunctionLogs, ImageSettings
from standins.aws.gaps.cloudwatch import CloudWatch, CloudWatchCbor
from standins.aws.gaps.ec2 import Ec2
from standins.aws.gaps.ecs import Ecs
from standins.aws.gaps.efs import FilePolicies
from standins.aws.gaps.eks import Eks
from standins.aws.gaps.elasticache import ElastiCache
from standins.aws.gaps.elbv2 import LongestDeregistration
from standins.aws.gaps.lifecycle import TerminationHooks
from standins.aws.gaps.logs import ChangedFilters
from standins.aws.gaps.pace import Pace
from standins.aws.gaps.s3 import ConditionalStatements, DeletedVersions, TagsAtCreation
from standins.aws.gaps.sqs import FairQueues, LongPolls, QueueAddresses, QueueAttributes
from standins.aws.gaps.ssm import VendorImages
from standins.aws.gaps.stepfunctions import StepFunctions
from standins.aws.gaps.sts import AssumedRoles
from standins.aws.moto_app import MotoApplication
from standins.aws.presigned import Presigned
from standins.options import LOOPBACK, Options


def close_gaps(moto: MotoApplication, options: Options, port: int) -> WSGIApplication:
    """Extends moto in place and returns it behind the layers that translate requests."""
    ApplicationAutoScaling.install()
    AutoScaling.install()
    CloudWatch.install()
    TerminationHooks().install()
    Ec2.install()
    Ecs.install()
    EventSources().install()
    FilePolicies().install()
    Eks.install()
    FunctionLogs().install()
    ImageSettings().install()
    AssumedRoles().install()
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
    Pace().install()
    StepFunctions.install()
    VendorImages().install()
    bedrock = Bedrock(moto, options.embeddings, options.account)
    allowed = Authorization(bedrock, options.authorizer) if options.authorizer else bedrock
    return Controlled(Cors(Presigned(CloudWatchCbor(allowed), options.account), options.account), bedrock)
