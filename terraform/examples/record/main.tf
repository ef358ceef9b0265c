# The history of all ECS tasks of a region: a queue, a rule of EventBridge, and one task that writes.
provider "aws" {
  region = "eu-west-1"
}

module "record" {
  source = "../../modules/record"

  name            = "ecs-record"
  image           = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/watchbot-services:1" # docker build --target services
  subnets         = ["subnet-0a1b2c3d"]
  security_groups = ["sg-0a1b2c3d"] # the database lets them in
  database        = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:record-a1b2c3"

  env = {
    WATCHBOT_RETENTION = "90"
  }
}

output "dead_letter_queue_url" {
  value = module.record.dead_letter_queue_url
}
