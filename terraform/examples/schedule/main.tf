# ECS tasks at the times that jobs ask for; other stacks declare jobs by a custom resource.
provider "aws" {
  region = "eu-west-1"
}

module "schedule" {
  source = "../../modules/schedule"

  name             = "schedule"
  image            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/watchbot-services:1" # docker build --target services
  cluster          = "blue"
  subnets          = ["subnet-0a1b2c3d"]
  security_groups  = ["sg-0a1b2c3d"]
  database         = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:schedule-a1b2c3"
  token            = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-a1b2c3"
  task_definitions = ["arn:aws:ecs:eu-west-1:123456789012:task-definition/report:*"]
  task_roles       = ["arn:aws:iam::123456789012:role/report"]
  function_bucket  = "my-bucket" # with the zip of `make lambda`
  function_key     = "lambda/watchbot.zip"
}
