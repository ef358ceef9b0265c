module "stack" {
  source = "../stack"

  template           = "${path.module}/templates/schedule.json.tftpl"
  values             = local.values
  name               = var.name
  env                = var.env
  secrets            = var.secrets
  permissions        = var.permissions
  tags               = var.tags
  timeout_in_minutes = var.timeout_in_minutes
}
