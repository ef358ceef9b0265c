# The queue of ECS events alone, for a `watchbot record` that you run in your own way.
provider "aws" {
  region = "eu-west-1"
}

module "events" {
  source = "../../modules/events-queue"
  name   = "ecs-events"
}

output "queue_url" {
  value = module.events.queue_url
}
