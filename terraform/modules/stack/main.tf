# A stack of CloudFormation from one of the generated templates. Use the modules service, record and
# schedule, which give this one its template and its values.
resource "aws_cloudformation_stack" "this" {
  name               = var.name
  template_body      = local.body
  parameters         = local.parameters
  capabilities       = ["CAPABILITY_IAM"]
  tags               = var.tags
  timeout_in_minutes = var.timeout_in_minutes

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = join(" ", local.problems)
    }
  }
}
