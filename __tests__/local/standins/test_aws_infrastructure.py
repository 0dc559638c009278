"""The AWS services that only Terraform speaks to: what it would see as a change if it came back otherwise."""

from __future__ import annotations

import base64
import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def network(ec2: Any) -> tuple[str, str]:
    """A subnet of the default VPC, and that VPC."""
    subnet = ec2.describe_subnets()["Subnets"][0]
    return subnet["SubnetId"], subnet["VpcId"]


# CloudWatch


@pytest.fixture
def cloudwatch(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of CloudWatch that speaks CBOR, as those of Go and JavaScript do; boto3 would choose JSON."""
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", ("smithy-rpc-v2-cbor",))
    client = aws("cloudwatch")

    def check(request: Any, **_: Any) -> None:
        assert request.headers["smithy-protocol"] == b"rpc-v2-cbor"

    client.meta.events.register("before-send.cloudwatch", check)
    return client


def test_an_alarm_survives_the_way_through_cbor(cloudwatch: Any) -> None:
    """standins: an alarm on metric math that an SDK sends as CBOR comes back as it was sent, with times."""
    metric = {"Namespace": "AWS/SQS", "MetricName": "Visible", "Dimensions": [{"Name": "QueueName", "Value": "q"}]}
    queries = [
        {"Id": "rate", "Expression": "visible / 2", "Label": "per two", "ReturnData": True},
        {"Id": "visible", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}, "ReturnData": False},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="math",
        EvaluationPeriods=3,
        Threshold=0.05,
        ComparisonOperator="GreaterThanThreshold",
        Metrics=queries,
        TreatMissingData="notBreaching",
    )
    alarm = cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"][0]
    assert alarm["Threshold"] == 0.05
    assert alarm["Metrics"] == queries
    assert alarm["StateUpdatedTimestamp"].tzinfo
    cloudwatch.delete_alarms(AlarmNames=["math"])
    assert cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"] == []


def test_metrics_sent_as_cbor_can_be_read(cloudwatch: Any) -> None:
    """standins: data points with times, sent as CBOR, add up."""
    now = datetime.now(UTC)
    cloudwatch.put_metric_data(
        Namespace="Test", MetricData=[{"MetricName": "Jobs", "Timestamp": now, "Value": value} for value in (1.0, 2.5)]
    )
    points = cloudwatch.get_metric_statistics(
        Namespace="Test",
        MetricName="Jobs",
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 3.5


def test_an_error_keeps_its_code_through_cbor(cloudwatch: Any) -> None:
    """standins: an error of CloudWatch has its code and its message."""
    with pytest.raises(ClientError) as caught:
        cloudwatch.get_dashboard(DashboardName="missing")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "ResourceNotFound" in caught.value.response["Error"]["Code"]


def test_a_composite_alarm_has_its_rule(cloudwatch: Any) -> None:
    """standins: a composite alarm is kept with its rule."""
    cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(a) OR ALARM(b)")
    alarms = cloudwatch.describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert alarms[0]["AlarmRule"] == "ALARM(a) OR ALARM(b)"


def test_a_metric_filter_is_changed_not_doubled(aws: Clients) -> None:
    """standins: putting a metric filter again changes it."""
    logs = aws("logs")
    logs.create_log_group(logGroupName="/test/filters")
    for value in ("1", "2"):
        transformation = {"metricName": "Errors", "metricNamespace": "Test", "metricValue": value}
        logs.put_metric_filter(
            logGroupName="/test/filters",
            filterName="errors",
            filterPattern="ERROR",
            metricTransformations=[transformation],
        )
    filters = logs.describe_metric_filters(logGroupName="/test/filters")["metricFilters"]
    assert [f["metricTransformations"][0]["metricValue"] for f in filters] == ["2"]


# EC2


def test_canonicals_parameter_names_an_image_that_exists(aws: Clients) -> None:
    """standins: Canonical's public parameter names an image that EC2 knows."""
    image_id = aws("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
    image = aws("ec2").describe_images(ImageIds=[image_id])["Images"][0]
    assert image["OwnerId"] == "099720109477"
    assert image["Architecture"] == "x86_64"
    assert image["RootDeviceName"] == "/dev/sda1"
    with pytest.raises(ClientError) as caught:
        aws("ssm").get_parameter(Name=UBUNTU.replace("24.04", "twenty-four"))
    assert caught.value.response["Error"]["Code"] == "ParameterNotFound"


def test_an_instance_is_as_it_was_asked_for(aws: Clients) -> None:
    """standins: an instance has the address, groups, credits, recovery and monitoring that it was asked for."""
    ec2 = aws("ec2")
    subnet, vpc = network(ec2)
    address = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["CidrBlock"].rsplit(".", 1)[0] + ".100"
    group = ec2.create_security_group(GroupName="instance", Description="x", VpcId=vpc)["GroupId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "PrivateIpAddress": address}
    image_id = aws("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
    instance_id = ec2.run_instances(
        ImageId=image_id,
        InstanceType="t3.large",
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[interface],
        CreditSpecification={"CpuCredits": "standard"},
        MaintenanceOptions={"AutoRecovery": "disabled"},
    )["Instances"][0]["InstanceId"]
    ec2.monitor_instances(InstanceIds=[instance_id])
    instance = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    credit = ec2.describe_instance_credit_specifications(InstanceIds=[instance_id])["InstanceCreditSpecifications"]
    assert instance["PrivateIpAddress"] == address
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [group]
    assert instance["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    assert instance["Monitoring"]["State"] == "enabled"
    assert credit[0]["CpuCredits"] == "standard"
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]["State"]["Code"] == 48


def test_a_rule_between_groups_keeps_its_description(aws: Clients) -> None:
    """standins: a security group rule that refers to a group keeps its description."""
    ec2 = aws("ec2")
    _, vpc = network(ec2)
    one, two = (ec2.create_security_group(GroupName=n, Description="x", VpcId=vpc)["GroupId"] for n in ("one", "two"))
    pair = {"GroupId": two, "Description": "from two"}
    permission = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [pair]}
    rule = ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[permission])["SecurityGroupRules"][0]
    listed = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert listed["SecurityGroupRules"][0]["Description"] == "from two"


def test_a_launch_template_that_is_gone_is_missed_as_terraform_expects(aws: Clients) -> None:
    """standins EC2: deleting a launch template twice fails with the code that Terraform takes for deleted."""
    ec2 = aws("ec2")
    created = ec2.create_launch_template(LaunchTemplateName="twice", LaunchTemplateData={"InstanceType": "t3.small"})
    template_id = created["LaunchTemplate"]["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=template_id)
    with pytest.raises(ClientError) as gone:
        ec2.delete_launch_template(LaunchTemplateId=template_id)
    assert gone.value.response["Error"]["Code"] == "InvalidLaunchTemplateId.NotFound"


def test_a_launch_templates_own_tags_are_its_own(aws: Clients) -> None:
    """standins: a launch template's own tags are not tags of what it launches, and can change."""
    ec2 = aws("ec2")
    template_id = ec2.create_launch_template(
        LaunchTemplateName="tagged",
        LaunchTemplateData={"InstanceType": "t3.small"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "stack", "Value": "workers"}]}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    version = ec2.describe_launch_template_versions(LaunchTemplateId=template_id)["LaunchTemplateVersions"][0]
    assert "TagSpecifications" not in version["LaunchTemplateData"]
    ec2.create_tags(Resources=[template_id], Tags=[{"Key": "stack", "Value": "controllers"}])
    template = ec2.describe_launch_templates(LaunchTemplateIds=[template_id])["LaunchTemplates"][0]
    assert template["Tags"] == [{"Key": "stack", "Value": "controllers"}]


# Auto Scaling and load balancing


def test_a_group_is_as_it_was_asked_for(aws: Clients) -> None:
    """standins: a group, its hook and its policy come back as they were sent, and a refresh replaces its instances."""
    ec2, scaling = aws("ec2"), aws("autoscaling")
    subnet, _ = network(ec2)
    image_id = aws("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
    data = {"ImageId": image_id, "InstanceType": "t3.small"}
    template_id = ec2.create_launch_template(LaunchTemplateName="scaled", LaunchTemplateData=data)["LaunchTemplate"][
        "LaunchTemplateId"
    ]
    user_data = base64.b64encode(b"#!/bin/bash").decode()
    ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData={**data, "UserData": user_data})
    specification = {"LaunchTemplateId": template_id, "Version": "$Latest"}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="group",
        MinSize=2,
        MaxSize=5,
        VPCZoneIdentifier=subnet,
        MixedInstancesPolicy={"LaunchTemplate": {"LaunchTemplateSpecification": specification}},
        DefaultInstanceWarmup=60,
        MaxInstanceLifetime=604800,
        InstanceMaintenancePolicy={"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
    )
    scaling.update_auto_scaling_group(AutoScalingGroupName="group", MaxSize=6, DefaultCooldown=301)
    scaling.put_lifecycle_hook(
        AutoScalingGroupName="group",
        LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=600,
    )
    scaling.put_scaling_policy(
        AutoScalingGroupName="group", PolicyName="up", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1
    )

    def describe() -> Any:
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["group"])["AutoScalingGroups"][0]

    group = describe()
    assert (group["MaxSize"], group["DefaultCooldown"], group["DefaultInstanceWarmup"]) == (6, 301, 60)
    assert group["MaxInstanceLifetime"] == 604800
    assert group["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120}
    launched = group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    assert launched["LaunchTemplateId"] == template_id
    hook = scaling.describe_lifecycle_hooks(AutoScalingGroupName="group")["LifecycleHooks"][0]
    assert hook["HeartbeatTimeout"] == 600
    assert "NotificationTargetARN" not in hook
    assert "RoleARN" not in hook
    policy = scaling.describe_policies(AutoScalingGroupName="group")["ScalingPolicies"][0]
    assert policy["Enabled"] is True
    assert "PredictiveScalingConfiguration" not in policy

    scaling.start_instance_refresh(AutoScalingGroupName="group")
    assert scaling.describe_instance_refreshes(AutoScalingGroupName="group")["InstanceRefreshes"][0]["Status"] == (
        "Successful"
    )
    before = {instance["InstanceId"] for instance in group["Instances"]}
    after = {instance["InstanceId"] for instance in describe()["Instances"]}
    assert len(after) == 2
    assert not before & after


@pytest.fixture
def group(aws: Clients) -> Iterator[str]:
    """A group of two instances with a termination hook; its name."""
    ec2, scaling, name = aws("ec2"), aws("autoscaling"), f"group-{secrets.token_hex(4)}"
    image_id = aws("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
    template = {"ImageId": image_id, "InstanceType": "t3.small"}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=template)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=5,
        DesiredCapacity=2,
        VPCZoneIdentifier=network(ec2)[0],
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
    )
    put_hook(scaling, name, 600)
    yield name
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def put_hook(scaling: Any, group: str, timeout: int) -> None:
    """Makes or changes the group's hook."""
    scaling.put_lifecycle_hook(
        AutoScalingGroupName=group,
        LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=timeout,
        DefaultResult="CONTINUE",
    )


def states(scaling: Any, group: str) -> dict[str, str]:
    """Lifecycle states of the group's instances, by id."""
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return {instance["InstanceId"]: instance["LifecycleState"] for instance in found["Instances"]}


def test_scaling_in_waits_at_the_hook_until_the_instance_completes_it(aws: Clients, group: str) -> None:
    """standins: an instance that scaling takes away runs on until it completes the hook, and is terminated then."""
    ec2, scaling = aws("ec2"), aws("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    leaving = [instance for instance, state in states(scaling, group).items() if state == "Terminating:Wait"]
    assert len(leaving) == 1
    described = scaling.describe_auto_scaling_instances(InstanceIds=leaving)["AutoScalingInstances"][0]
    assert described["LifecycleState"] == "Terminating:Wait"

    def ec2_state() -> str:
        reservations = ec2.describe_instances(InstanceIds=leaving)["Reservations"]
        name: str = reservations[0]["Instances"][0]["State"]["Name"]
        return name

    assert ec2_state() == "running"
    action = {"AutoScalingGroupName": group, "LifecycleHookName": "drain", "InstanceId": leaving[0]}
    scaling.record_lifecycle_action_heartbeat(**action)
    scaling.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **action)
    assert ec2_state() == "terminated"
    assert list(states(scaling, group).values()) == ["InService"]


def test_an_instance_that_does_not_wait_has_no_hook_to_answer(aws: Clients, group: str) -> None:
    """standins: an answer to a hook is refused from an instance in service, and for a group that does not exist."""
    scaling = aws("autoscaling")
    instance = next(iter(states(scaling, group)))
    for name in (group, "missing"):
        action = {"AutoScalingGroupName": name, "LifecycleHookName": "drain", "InstanceId": instance}
        with pytest.raises(ClientError) as completed:
            scaling.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **action)
        with pytest.raises(ClientError) as beaten:
            scaling.record_lifecycle_action_heartbeat(**action)
        for caught in (completed, beaten):
            assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_protected_instance_stays_when_the_group_scales_in(aws: Clients, group: str) -> None:
    """standins: scaling takes the instance that is not protected, and none when all are."""
    scaling = aws("autoscaling")
    first, second = states(scaling, group)
    protect = {"AutoScalingGroupName": group, "ProtectedFromScaleIn": True}
    scaling.set_instance_protection(InstanceIds=[first], **protect)
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0)
    assert states(scaling, group) == {first: "InService", second: "Terminating:Wait"}


def test_a_silent_instance_is_terminated_when_its_heartbeats_end(aws: Clients, group: str) -> None:
    """standins: an instance that says nothing at its hook is terminated in time, and one that does is not."""
    scaling = aws("autoscaling")
    put_hook(scaling, group, 1)
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0)
    alive, _silent = states(scaling, group)
    action = {"AutoScalingGroupName": group, "LifecycleHookName": "drain", "InstanceId": alive}
    deadline = time.monotonic() + 10
    while len(states(scaling, group)) > 1:
        scaling.record_lifecycle_action_heartbeat(**action)
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert states(scaling, group) == {alive: "Terminating:Wait"}


def test_a_deleted_hook_holds_nobody(aws: Clients, group: str) -> None:
    """standins: what waits at a hook is terminated when the hook is deleted, as Terraform's destroy does first."""
    scaling = aws("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0)
    assert len(states(scaling, group)) == 2
    scaling.delete_lifecycle_hook(AutoScalingGroupName=group, LifecycleHookName="drain")
    assert states(scaling, group) == {}


def test_terminating_one_instance_waits_at_the_hook_and_starts_another(aws: Clients, group: str) -> None:
    """standins: TerminateInstanceInAutoScalingGroup waits at the hook too, and the group keeps its size unless told."""
    scaling = aws("autoscaling")
    first = next(iter(states(scaling, group)))
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    found = states(scaling, group)
    assert found.pop(first) == "Terminating:Wait"
    assert list(found.values()) == ["InService", "InService"]


def test_the_longest_deregistration_delay_is_taken(aws: Clients) -> None:
    """standins: a deregistration delay of an hour, AWS's longest, is taken, and a longer one is not."""
    balancing = aws("elbv2")
    _, vpc = network(aws("ec2"))
    arn = balancing.create_target_group(Name="targets", Protocol="HTTP", Port=8080, VpcId=vpc)["TargetGroups"][0][
        "TargetGroupArn"
    ]
    key = "deregistration_delay.timeout_seconds"
    balancing.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": key, "Value": "3600"}])
    attributes = balancing.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    assert {"Key": key, "Value": "3600"} in attributes
    with pytest.raises(ClientError):
        balancing.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": key, "Value": "3601"}])


def test_a_scalable_target_has_tags(aws: Clients) -> None:
    """standins: a scalable target has the tags that it was registered with."""
    dynamodb, scaling = aws("dynamodb"), aws("application-autoscaling")
    dynamodb.create_table(
        TableName="scaled",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    arn = scaling.register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId="table/scaled",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"stack": "data"},
    )["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"owner": "me"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stack": "data", "owner": "me"}
    scaling.untag_resource(ResourceARN=arn, TagKeys=["stack"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"owner": "me"}


@pytest.mark.parametrize(
    ("definition", "result", "location"),
    [
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, "OK", None),
        ({"StartAt": "B", "States": {"A": {"Type": "Pass", "End": True}}}, "FAIL", "/StartAt"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "C"}}}, "FAIL", "/States/A"),
        ({"StartAt": "A", "States": {"A": {"Type": "Nap", "End": True}}}, "FAIL", "/States/A/Type"),
    ],
)
def test_a_state_machine_is_validated(aws: Clients, definition: Any, result: str, location: str | None) -> None:
    """standins: a state machine's definition is validated, and what is wrong has its place."""
    reply = aws("stepfunctions").validate_state_machine_definition(definition=json.dumps(definition))
    assert reply["result"] == result
    assert [diagnostic["location"] for diagnostic in reply["diagnostics"]] == ([location] if location else [])


# ECS


def test_a_service_keeps_what_it_runs_on_and_how_it_is_rolled_out(aws: Clients) -> None:
    """standins: a service on capacity providers comes back with them, its rollout and its grace, and changes them."""
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="gpus")
    definition = {"name": "api", "image": "registry.example/api:1", "memory": 64}
    task = ecs.register_task_definition(family="task", containerDefinitions=[definition])["taskDefinition"]
    strategy = [{"capacityProvider": "on-demand", "weight": 1, "base": 1}]
    rollout = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    ecs.create_service(
        cluster="gpus",
        serviceName="service",
        taskDefinition=task["taskDefinitionArn"],
        desiredCount=0,
        capacityProviderStrategy=strategy,
        deploymentConfiguration=rollout,
        healthCheckGracePeriodSeconds=900,
        enableECSManagedTags=True,
        availabilityZoneRebalancing="DISABLED",
    )
    [service] = ecs.describe_services(cluster="gpus", services=["service"])["services"]
    assert service["capacityProviderStrategy"] == strategy
    assert "launchType" not in service
    assert service["deploymentConfiguration"] == rollout
    assert service["healthCheckGracePeriodSeconds"] == 900
    assert service["enableECSManagedTags"] is True
    assert service["availabilityZoneRebalancing"] == "DISABLED"
    ecs.update_service(cluster="gpus", service="service", healthCheckGracePeriodSeconds=600)
    [changed] = ecs.describe_services(cluster="gpus", services=["service"])["services"]
    assert (changed["healthCheckGracePeriodSeconds"], changed["capacityProviderStrategy"]) == (600, strategy)


# Lambda


def test_a_function_keeps_where_its_log_goes(aws: Clients) -> None:
    """standins: a function's log format and group come back, change, and are Lambda's own when none were given."""
    role = aws("iam").create_role(RoleName="fn", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = aws("lambda")
    common = {"Runtime": "nodejs22.x", "Role": role, "Handler": "handler.handler", "Code": {"ZipFile": _empty_zip()}}
    ours = {"LogFormat": "JSON", "LogGroup": "/aws/lambda/ours"}
    functions.create_function(FunctionName="ours", LoggingConfig=ours, **common)
    functions.create_function(FunctionName="plain", **common)
    logging = {
        name: functions.get_function_configuration(FunctionName=name)["LoggingConfig"] for name in ("ours", "plain")
    }
    assert logging == {"ours": ours, "plain": {"LogFormat": "Text", "LogGroup": "/aws/lambda/plain"}}
    functions.update_function_configuration(FunctionName="plain", LoggingConfig=ours)
    assert functions.get_function_configuration(FunctionName="plain")["LoggingConfig"] == ours


def test_a_function_from_an_image_has_no_settings_of_it_unless_they_were_given(aws: Clients) -> None:
    """standins: ImageConfigResponse comes back where an ImageConfig was given, and not otherwise."""
    role = aws("iam").create_role(RoleName="image-fn", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    uri = f"123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/image@sha256:{'0' * 64}"
    common: Any = {"PackageType": "Image", "Role": role, "Code": {"ImageUri": uri}}
    functions = aws("lambda")
    functions.create_function(FunctionName="bare", **common)
    functions.create_function(FunctionName="set", ImageConfig={"Command": ["a.handler"]}, **common)
    configuration = {name: functions.get_function_configuration(FunctionName=name) for name in ("bare", "set")}
    assert "ImageConfigResponse" not in configuration["bare"]
    assert configuration["set"]["ImageConfigResponse"]["ImageConfig"]["Command"] == ["a.handler"]


def test_the_secret_of_a_session_is_that_of_every_key(aws: Clients) -> None:
    """standins: who assumes a role gets a key and a token of its own, and the common secret."""
    role = aws("iam").create_role(RoleName="assumed", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    session = aws("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    assert session["SecretAccessKey"] == "local"
    assert session["AccessKeyId"].startswith("ASIA")


def _empty_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.js", "exports.handler = async () => 1;")
    return packed.getvalue()
