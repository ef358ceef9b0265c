"""`watchbot chaos`: does a command bear what queues, deployments and machines do to it?"""
