{{- define "watchbot.name" -}}
{{- if contains "watchbot" .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-watchbot" .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.selector" -}}
app.kubernetes.io/name: watchbot
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watchbot.labels" -}}
{{ include "watchbot.selector" . }}
app.kubernetes.io/component: {{ .Values.kind }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "watchbot.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "watchbot.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The port that a Service is for, or nothing; by default that of `watchbot KIND --port`. */}}
{{- define "watchbot.port" -}}
{{- if eq .Values.kind "schedule" -}}
{{- .Values.options.port | default 5000 -}}
{{- else if eq .Values.kind "console" -}}
{{- .Values.options.port | default 8300 -}}
{{- else if eq .Values.kind "record" -}}
{{- .Values.options.httpPort | default "" -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.preStop" -}}
{{- if ge (int .Values.preStopSeconds) 0 -}}
{{- int .Values.preStopSeconds -}}
{{- else -}}
{{- ternary 5 0 (ne (include "watchbot.port" .) "") -}}
{{- end -}}
{{- end -}}

{{/* The console has nothing to drain. */}}
{{- define "watchbot.drains" -}}
{{- ternary "" "yes" (eq .Values.kind "console") -}}
{{- end -}}

{{- define "watchbot.grace" -}}
{{- add (ternary (ceil .Values.options.drainTimeout) 0 (eq (include "watchbot.drains" .) "yes")) (include "watchbot.preStop" .) 10 -}}
{{- end -}}

{{/* A value as an environment variable has it: 1e+06 is 1000000, a list is a,b. */}}
{{- define "watchbot.text" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.env" -}}
{{- $options := ternary .Values.options (omit .Values.options "drainTimeout") (eq (include "watchbot.drains" .) "yes") }}
{{- $set := dict }}
{{- range $name, $value := $options }}
{{- $variable := printf "WATCHBOT_%s" ($name | snakecase | upper) }}
{{- if regexMatch "://[^/]*@" (include "watchbot.text" $value) }}
{{- fail (printf "options.%s holds a password: keep it in a secret, and name that as secrets.%s" $name $variable) }}
{{- end }}
{{- $_ := set $set $variable (printf "options.%s" $name) }}
- name: {{ $variable }}
  value: {{ include "watchbot.text" $value | quote }}
{{- end }}
{{- if include "watchbot.port" . }}
{{- $host := ternary "WATCHBOT_HOST" "WATCHBOT_HTTP_HOST" (has .Values.kind (list "schedule" "console")) }}
{{- $_ := set $set $host "the chart" }}
- {name: {{ $host }}, value: 0.0.0.0}
{{- end }}
{{- range $name, $value := .Values.env }}
{{- with get $set $name }}
{{- fail (printf "env.%s is set by %s: leave one of them out" $name .) }}
{{- end }}
{{- $_ := set $set $name (printf "env.%s" $name) }}
- name: {{ $name }}
  value: {{ include "watchbot.text" $value | quote }}
{{- end }}
{{- range $name, $place := .Values.secrets }}
{{- with get $set $name }}
{{- fail (printf "secrets.%s is set by %s: leave one of them out" $name .) }}
{{- end }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{ toJson $place }}
{{- end }}
{{- end -}}

{{- define "watchbot.refuseRange" -}}
{{- $name := first . -}}
{{- $given := last . -}}
{{- if gt (int $given.minReplicas) (int $given.maxReplicas) -}}
{{- fail (printf "%s.minReplicas is %d, and %s.maxReplicas only %d" $name (int $given.minReplicas) $name (int $given.maxReplicas)) -}}
{{- end -}}
{{- end -}}

{{/* KEDA takes the workload's role from an annotation, which EKS Pod Identity does not have. */}}
{{- define "watchbot.identityOwner" -}}
{{- with .Values.serviceAccount -}}
{{- ternary "workload" "keda" (or .roleArn (hasKey .annotations "eks.amazonaws.com/role-arn") | not | not) -}}
{{- end -}}
{{- end -}}
