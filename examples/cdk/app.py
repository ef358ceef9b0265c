"""A bucket, and a service that runs a command for every message: `cdk deploy`."""

import os

from aws_cdk import App, CfnOutput, Duration, Environment, Stack
from aws_cdk.aws_s3 import Bucket

from watchbot.cdk import Service

app = App()
stack = Stack(
    app,
    "pictures",
    env=Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    ),
)
pictures = Bucket(stack, "Pictures")

resize = Service(
    stack,
    "resize",
    # Your program, and watchbot. Or an asset of CDK: aws_ecr_assets.DockerImageAsset.
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/resize:abc123",
    command=["./resize.sh"],
    subnets=["subnet-0a1b2c3d", "subnet-4e5f6071"],
    max_size=20,
    concurrency=4,
    cpu=1024,
    memory=2048,
    max_job_duration=Duration.minutes(20),
    env={"BUCKET": pictures.bucket_name},
)
pictures.grant_read_write(resize.task_role)
CfnOutput(stack, "SendTo", value=resize.topic.topic_arn)  # what is published there is worked on

app.synth()
