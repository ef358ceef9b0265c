locals {
  # What the execution role may read. ...:secret:NAME:KEY names a part of a secret; IAM grants whole ones.
  reads = {
    for name, arn in var.secrets : name => {
      action = [can(regex("^arn:[\\w-]+:ssm:", arn)) ? "ssm:GetParameters" : "secretsmanager:GetSecretValue"]
      arn    = join(":", slice(split(":", arn), 0, min(7, length(split(":", arn)))))
    }
  }

  # Written anew without spaces, as CloudFormation takes 51,200 bytes.
  body = jsonencode(jsondecode(templatefile(var.template, {
    name        = var.name
    env         = var.env
    secrets     = var.secrets
    reads       = local.reads
    permissions = var.permissions
  })))

  asked      = jsondecode(local.body).Parameters
  given      = { for name, value in var.values : name => value if value != null }
  parameters = { for name, value in local.given : name => value if contains(keys(local.asked), name) }

  needed = [for name, about in local.asked : name if !contains(keys(about), "Default")]
  kind   = split(".", basename(var.template))[0]
  problems = concat(
    [for name in setsubtract(keys(local.given), keys(local.asked)) : "The stack ${local.kind} takes no ${name}: leave it out."],
    [for name in setsubtract(local.needed, keys(local.given)) : "The stack ${local.kind} needs ${name}: set it."],
  )
}
