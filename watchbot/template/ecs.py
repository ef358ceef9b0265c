"""Adds the cluster, the task definition and the service."""

from typing import Any

from troposphere import Ref, Sub, ecs, servicediscovery

from watchbot.settings.template import FARGATE, TemplateSettings
from watchbot.template.stack import Stack, as_text, given
from watchbot.template.variables import secret_variables, variables

STOP_MARGIN_S = 10  # after the drain: SIGTERM, SIGKILL, and the last calls to SQS
MOST_STOP_S = 120  # Fargate kills a container that takes longer to stop
LAMBDA_ENTRY_POINT = "/lambda-entrypoint.sh"  # of AWS's images, as of those made from them


def add_service(stack: Stack) -> None:
    """Adds a cluster, unless the options name one, the task definition and the service."""
    if stack.options.cluster is None:
        stack.add(
            "Cluster",
            ecs.Cluster,
            CapacityProviders=list(FARGATE),
            ClusterSettings=[ecs.ClusterSetting(Name="containerInsights", Value="enabled")]
            if stack.options.container_insights
            else None,
        )
    _add_task_definition(stack)
    if stack.options.service_discovery is not None:
        _add_discovery(stack)
    _add_service(stack)
    stack.output("ClusterName", stack.cluster, "The ECS cluster of the service")
    stack.output("ServiceName", stack.attribute("Service", "Name"), "The ECS service")


def _add_task_definition(stack: Stack) -> None:
    options = stack.options
    fargate = options.fargate
    storage = options.ephemeral_storage_gib
    stack.add(
        "TaskDefinition",
        ecs.TaskDefinition,
        Family=given(options.family) or options.service,
        RequiresCompatibilities=["FARGATE" if fargate else "EC2"],
        NetworkMode="awsvpc" if options.own_network else "bridge",
        Cpu=as_text(options.cpu) if fargate else None,
        Memory=as_text(options.memory) if fargate else None,
        EphemeralStorage=ecs.EphemeralStorage(SizeInGiB=given(storage)) if storage else None,
        RuntimePlatform=ecs.RuntimePlatform(
            CpuArchitecture=given(options.architecture), OperatingSystemFamily="LINUX"
        ),
        TaskRoleArn=stack.arn("TaskRole"),
        ExecutionRoleArn=stack.arn("ExecutionRole"),
        ContainerDefinitions=[_container(stack)],
        Volumes=[_volume(mount, index) for index, mount in enumerate(options.mounts)] or None,
    )


def _container(stack: Stack) -> Any:
    options = stack.options
    limits = {} if options.fargate else _limits(options)
    if options.command is not None:
        limits["Command"] = given(options.command)
    elif options.handler is not None:
        limits["Command"] = [LAMBDA_ENTRY_POINT, given(options.handler)]
    if options.health_check != "none":
        limits["HealthCheck"] = _health_check(options.health_check)
    secrets = secret_variables(options)
    if secrets:
        limits["Secrets"] = [
            ecs.Secret(Name=name, ValueFrom=given(value)) for name, value in secrets.items()
        ]
    return ecs.ContainerDefinition(
        Name=options.service,
        Image=_image(stack),
        # The image may have an entry point of its own.
        EntryPoint=["watchbot", options.kind],
        Environment=[
            ecs.Environment(Name=name, Value=value) for name, value in variables(stack).items()
        ],
        Essential=True,
        StopTimeout=_stop_timeout(options.drain_timeout),
        ReadonlyRootFilesystem=not options.writable_filesystem,
        MountPoints=[
            ecs.MountPoint(
                ContainerPath=mount.rpartition(":")[2],
                SourceVolume=f"mount-{index}",
                ReadOnly=False,
            )
            for index, mount in enumerate(options.mounts)
        ],
        PortMappings=_ports(stack),
        LogConfiguration=_logging(stack),
        **limits,
    )


def _limits(options: TemplateSettings) -> dict[str, Any]:
    limits = {"Cpu": given(options.cpu), "Memory": given(options.memory)}
    if options.soft_memory is not None:
        limits["MemoryReservation"] = given(options.soft_memory)
    if options.privileged:
        limits["Privileged"] = True
    return limits


def _image(stack: Stack) -> Any:
    if stack.options.image is not None:
        return given(stack.options.image)
    return Sub(
        "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/"
        f"{stack.options.service}:${{Version}}",
        Version=given(stack.options.service_version),
    )


def _stop_timeout(drain_s: Any) -> int:
    # A sum needs a number, and a function of CloudFormation has its value only at deployment.
    return drain_s + STOP_MARGIN_S if isinstance(drain_s, int) else MOST_STOP_S


def _health_check(command: Any) -> Any:
    return ecs.HealthCheck(
        Command=["CMD-SHELL", given(command)], Interval=30, Timeout=5, Retries=3, StartPeriod=60
    )


def _volume(mount: str, index: int) -> Any:
    host, colon, _ = mount.partition(":")
    if not colon:
        return ecs.Volume(Name=f"mount-{index}")
    return ecs.Volume(Name=f"mount-{index}", Host=ecs.Host(SourcePath=host))


def _ports(stack: Stack) -> list[Any]:
    options = stack.options
    served = [
        options.metrics_port,
        *([options.port] if options.kind in ("schedule", "console") else []),
    ]
    free = {} if options.own_network else {"HostPort": 0}  # any free port of the shared machine
    return [ecs.PortMapping(ContainerPort=given(port), **free) for port in served]


def _logging(stack: Stack) -> Any:
    return ecs.LogConfiguration(
        LogDriver="awslogs",
        Options={
            "awslogs-group": stack.of("LogGroup"),
            "awslogs-region": Ref("AWS::Region"),
            "awslogs-stream-prefix": given(stack.options.service_version) or stack.options.service,
        },
    )


def _add_service(stack: Stack) -> None:
    options = stack.options
    stack.add(
        "Service",
        ecs.Service,
        Cluster=given(options.cluster) or stack.of("Cluster"),
        TaskDefinition=stack.of("TaskDefinition"),
        # No DesiredCount, because a deployment would reset the number that the scaling has set.
        DesiredCount=None if options.kind == "listen" else 1,
        DeploymentConfiguration=ecs.DeploymentConfiguration(
            # Start new tasks first, because no share of a single task can stay running.
            MinimumHealthyPercent=100,
            MaximumPercent=200,
            DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(
                Enable=options.deployment_circuit_breaker,
                Rollback=options.deployment_circuit_breaker,
            ),
        ),
        NetworkConfiguration=_network(stack) if options.own_network else None,
        PlacementConstraints=_typed(ecs.PlacementConstraint, options.placement_constraints),
        PlacementStrategies=_typed(ecs.PlacementStrategy, options.placement_strategies),
        PropagateTags="SERVICE",
        EnableECSManagedTags=True,
        ServiceRegistries=[_registry(stack)] if stack.has("Discovery") else None,
        **_capacity(options.capacity),
    )


def _capacity(capacity: dict[str, int]) -> dict[str, Any]:
    if list(capacity) in (["EC2"], ["FARGATE"]):
        return {"LaunchType": next(iter(capacity))}  # also works without capacity providers
    return {
        "CapacityProviderStrategy": [
            ecs.CapacityProviderStrategyItem(CapacityProvider=name, Weight=weight)
            for name, weight in capacity.items()
        ]
    }


def _network(stack: Stack) -> Any:
    options = stack.options
    groups = given(options.security_groups)
    more = {"SecurityGroups": groups} if groups else {}
    if options.fargate:  # ECS accepts it only on Fargate
        more["AssignPublicIp"] = given(options.public_ip)
    return ecs.NetworkConfiguration(
        AwsvpcConfiguration=ecs.AwsvpcConfiguration(Subnets=given(options.subnets), **more)
    )


def _typed(kind: Any, objects: tuple[Any, ...]) -> list[Any] | None:
    return [kind(**each) for each in objects] or None


def _add_discovery(stack: Stack) -> None:
    stack.add(
        "Discovery",
        servicediscovery.Service,
        Name=stack.options.service,
        DnsConfig=servicediscovery.DnsConfig(
            NamespaceId=given(stack.options.service_discovery),
            DnsRecords=[servicediscovery.DnsRecord(Type="SRV", TTL=15)],
            RoutingPolicy="MULTIVALUE",
        ),
    )


def _registry(stack: Stack) -> Any:
    return ecs.ServiceRegistry(
        RegistryArn=stack.arn("Discovery"),
        ContainerName=stack.options.service,
        ContainerPort=given(stack.options.metrics_port),
    )
