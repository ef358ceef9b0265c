variable "template" {
  description = "The path of the template."
  type        = string
}

variable "values" {
  description = "The parameters of the stack, as texts; null leaves the default."
  type        = map(string)
}
