# A command for every message of a queue: tasks on Fargate that come and go with the backlog.
provider "aws" {
  region = "eu-west-1"
}

module "resize" {
  source = "../../modules/service" # or git::https://YOUR-HOST/watchbot.git//terraform/modules/service?ref=v1.0.0

  name    = "resize"
  image   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/resize:abc123" # your program, and watchbot
  command = "./resize.sh"
  subnets = ["subnet-0a1b2c3d", "subnet-4e5f6071"]

  max_size    = 20
  concurrency = 4
  cpu         = 1024
  memory      = 2048

  env = {
    BUCKET = "pictures"
  }
  secrets = {
    API_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:resize-a1b2c3"
  }
  permissions = [
    {
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "arn:aws:s3:::pictures/*"
    },
  ]
  tags = {
    team = "pictures"
  }
}

# What is published here is worked on.
output "topic_arn" {
  value = module.resize.topic_arn
}
